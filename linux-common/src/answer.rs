//! Answers to a command: text on standard output, whole or with a reason.

use std::io::{self, Write};

use crate::exit::{Exit, Failure, Result};

/// Prints `text` and a line's end to standard output. Whoever stops reading (`| head`) has seen enough.
///
/// # Errors
/// [`Exit::Other`]: it cannot be written.
pub fn print(text: &str) -> Result<()> {
    write(&mut io::stdout().lock(), text)
}

fn write(out: &mut impl Write, text: &str) -> Result<()> {
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Other, format!("Cannot write to standard output: {error}.")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_who_has_gone_is_no_failure_but_a_full_disk_is() {
        let (reader, mut writer) = io::pipe().unwrap();
        drop(reader);
        assert_eq!(write(&mut writer, "a line"), Ok(()));
        let mut full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let failure = write(&mut full, "a line").unwrap_err();
        assert_eq!(failure.exit, Exit::Other);
        assert!(failure.message.contains("standard output"), "{failure}");
    }
}
