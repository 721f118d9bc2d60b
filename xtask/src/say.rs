//! Lines on stdout. That nobody reads them any more (`| head -1`) is a failure and no panic, so that a long run ends with
//! all that it has to put away.

use std::fmt::Display;
use std::io::{self, Write};

use crate::failure::{Failure, Result};

/// Prints one line.
pub(crate) fn say(line: impl Display) -> Result {
    say_to(&mut io::stdout(), line)
}

fn say_to(out: &mut impl Write, line: impl Display) -> Result {
    writeln!(out, "{line}")
        .map_err(|error| Failure::new(format!("Nobody reads this program's lines: {error}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_nobody_reads_is_a_failure() {
        let (reader, mut writer) = io::pipe().unwrap();
        say_to(&mut writer, "heard").unwrap();
        drop(reader);
        assert!(say_to(&mut writer, "unheard").unwrap_err().to_string().starts_with("Nobody reads"));
    }
}
