//! The command line: what may be said, and the help that explains it.

use std::ffi::{OsStr, OsString};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use crate::descriptors::{Identity, MAX_TEXT_UNITS};
use crate::failure::{Exit, Failure, Result};
use crate::faults::Faults;
use crate::offer::{Format, Transport};
use crate::port::PORTS;

/// The fastest that is asked for.
const MAX_FPS: u32 = 120;
const DEFAULT_FPS: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);

/// What `--help` prints.
pub const HELP: &str = "\
Usage: usb-camera [OPTIONS] DIR

Plugs a USB camera made of software into this machine, until the process is ended: the kernel's uvcvideo makes a
/dev/videoN of it. Wants root, and the modules vhci-hcd and uvcvideo (`modprobe -a vhci-hcd uvcvideo`).

DIR holds the pictures as WxH/*.jpg: each folder is a size that the camera offers, its files are shown in the order of
their names, round and round. Whatever is in them is served as it is.

  --fps N        the highest rate, 1 to 120; a half and a sixth of it are offered too [default: 30]
  --bulk         a bulk endpoint instead of an isochronous one
  --yuyv         offers YUYV too (a moving pattern), as format 1, and MJPEG as format 2
  --only-yuyv    offers YUYV and no MJPEG; of DIR only the folders' names are used
  --lose N       loses one isochronous packet in N: the driver sees it and drops the picture
  --damage N     flips bits in one packet in N (over bulk: one payload): the driver does not see it
  --port N       the port to plug it in at, 0 to 7; each camera wants its own [default: 0]
  --name TEXT    the product's name [default: Simulated camera]
  --serial TEXT  the serial number [default: the port's number]

While it runs:
  DIR/freeze     as long as this file exists the picture stands still
  DIR/stall      as long as this file exists no picture comes at all
  Ending the process, by any signal, pulls the camera out.

Exit codes:
  2 command line     3 pictures     4 port of the virtual host controller     5 link to the kernel broken
";

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// To be explained.
    Help,
    /// A camera.
    PlugIn(Wish),
}

/// Which camera, and where.
#[derive(Debug)]
pub struct Wish {
    /// The folder of pictures.
    pub dir: PathBuf,
    /// Isochronous or bulk.
    pub transport: Transport,
    /// The formats in the order in which they are offered.
    pub formats: Vec<Format>,
    /// The highest rate.
    pub fps: NonZeroU32,
    /// What goes wrong.
    pub faults: Faults,
    /// The port.
    pub port: u8,
    /// Name and serial number.
    pub identity: Identity,
}

/// Reads the words after the program's name.
///
/// # Errors
/// [`Exit::Usage`] with what is wrong.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command> {
    let mut words = words.into_iter();
    let (mut fps, mut port, mut lose, mut damage) = (None, None, None, None);
    let (mut name, mut serial, mut dir) = (None, None, None);
    let (mut bulk, mut yuyv, mut only_yuyv) = (false, false, false);
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        match text {
            "--help" | "-h" => return Ok(Command::Help),
            "--bulk" => bulk = true,
            "--yuyv" => yuyv = true,
            "--only-yuyv" => only_yuyv = true,
            "--fps" => fps = Some(number(text, words.next(), 1, MAX_FPS)?),
            "--lose" => lose = Some(number(text, words.next(), 1, u32::MAX)?),
            "--damage" => damage = Some(number(text, words.next(), 1, u32::MAX)?),
            "--port" => port = Some(number(text, words.next(), 0, PORTS - 1)?),
            "--name" => name = Some(label(text, words.next())?),
            "--serial" => serial = Some(label(text, words.next())?),
            _ if text.starts_with('-') => return Err(wrong(format!("there is no option `{text}`"))),
            _ if dir.is_some() => return Err(wrong("there is one DIR too many")),
            _ => dir = Some(PathBuf::from(word)),
        }
    }
    if bulk && lose.is_some() {
        return Err(wrong("over --bulk nothing is lost, so --lose does not go with it"));
    }
    let port = port.unwrap_or(0);
    Ok(Command::PlugIn(Wish {
        dir: dir.ok_or_else(|| wrong("which DIR are the pictures in?"))?,
        transport: if bulk { Transport::Bulk } else { Transport::Isochronous },
        formats: match (yuyv, only_yuyv) {
            (_, true) => vec![Format::Yuyv],
            (true, false) => vec![Format::Yuyv, Format::Mjpeg],
            (false, false) => vec![Format::Mjpeg],
        },
        fps: fps.and_then(NonZeroU32::new).unwrap_or(DEFAULT_FPS),
        faults: Faults::new(lose.and_then(NonZeroU32::new), damage.and_then(NonZeroU32::new)),
        port,
        identity: Identity {
            name: name.unwrap_or_else(|| String::from("Simulated camera")),
            serial: serial.unwrap_or_else(|| port.to_string()),
        },
    }))
}

fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    option: &str,
    word: Option<OsString>,
    lowest: T,
    highest: T,
) -> Result<T> {
    let value = word.as_deref().and_then(OsStr::to_str).and_then(|text| text.parse().ok());
    value
        .filter(|value| (&lowest..=&highest).contains(&value))
        .ok_or_else(|| wrong(format!("{option} wants a whole number from {lowest} to {highest}")))
}

fn label(option: &str, word: Option<OsString>) -> Result<String> {
    let text = word.and_then(|word| word.into_string().ok());
    let fits = |text: &String| {
        let units = text.encode_utf16().count();
        (1..=MAX_TEXT_UNITS).contains(&units) && !text.chars().any(char::is_control)
    };
    text.filter(fits)
        .ok_or_else(|| wrong(format!("{option} wants a text of 1 to {MAX_TEXT_UNITS} characters")))
}

fn wrong(message: impl Into<String>) -> Failure {
    let message: String = message.into();
    Failure::new(Exit::Usage, format!("{message}. `usb-camera --help` explains."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn wish(line: &str) -> Wish {
        let Ok(Command::PlugIn(wish)) = read(line) else { panic!("{line}") };
        wish
    }

    #[test]
    fn a_folder_is_enough() {
        let wish = wish("pictures");
        assert_eq!((wish.dir, wish.transport), (PathBuf::from("pictures"), Transport::Isochronous));
        assert_eq!((wish.formats, wish.fps.get(), wish.port), (vec![Format::Mjpeg], 30, 0));
        assert_eq!((wish.faults.lose, wish.faults.damage), (None, None));
        assert_eq!(wish.identity, Identity { name: "Simulated camera".into(), serial: "0".into() });
    }

    #[test]
    fn options_are_read() {
        let wish = wish("--bulk --yuyv --fps 15 --damage 9 --port 3 --name Porch pictures");
        assert_eq!((wish.transport, wish.fps.get(), wish.port), (Transport::Bulk, 15, 3));
        assert_eq!(wish.formats, [Format::Yuyv, Format::Mjpeg]);
        assert_eq!(wish.faults.damage, NonZeroU32::new(9));
        assert_eq!(wish.identity, Identity { name: "Porch".into(), serial: "3".into() });
    }

    #[test]
    fn only_yuyv_outweighs_yuyv() {
        assert_eq!(wish("--yuyv --only-yuyv d").formats, [Format::Yuyv]);
        let wish = wish("--lose 50 --serial A d");
        assert_eq!((wish.faults.lose, wish.identity.serial.as_str()), (NonZeroU32::new(50), "A"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, part) in [
            ("", "which DIR"),
            ("a b", "DIR too many"),
            ("--fast a", "`--fast`"),
            ("--fps 0 a", "1 to 120"),
            ("--fps 121 a", "1 to 120"),
            ("--fps", "1 to 120"),
            ("--port 8 a", "0 to 7"),
            ("--port -1 a", "0 to 7"),
            ("--lose 0 a", "--lose wants"),
            ("--damage x a", "--damage wants"),
            ("--name", "--name wants"),
            ("--bulk --lose 5 a", "--bulk"),
        ] {
            let failure = read(line).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains(part), "{line}: {failure}");
        }
        assert!(label("--name", Some("a\nb".into())).is_err());
        assert!(label("--name", Some("a".repeat(127).into())).is_err());
    }

    #[test]
    fn help_explains_every_option() {
        assert!(read("--fps x --help").is_err());
        assert!(matches!(read("--bulk --help"), Ok(Command::Help)));
        for option in ["--fps", "--bulk", "--yuyv", "--only-yuyv", "--lose", "--damage", "--port", "--name"] {
            assert!(HELP.contains(&format!("\n  {option} ")), "{option}");
        }
    }
}
