//! The archive that Linux unpacks as its first file system: cpio in the "newc" form.
//!
//! Written here and not by the program `cpio`, so that device nodes and root's ownership need no root. Archives may be
//! put one after the other into one file; Linux unpacks all of them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_644;
const PROGRAM: u32 = 0o100_755;
const PRIVATE: u32 = 0o100_600;
const LINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// Ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// An archive that is being written. Names have no leading slash; their folders are made as they are met.
#[derive(Debug)]
pub(super) struct Archive<W: Write> {
    out: W,
    /// How many entries there are, which is also the last one's number.
    count: u32,
    folders: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    /// An empty one.
    pub(super) fn new(out: W) -> Self {
        Self { out, count: 0, folders: BTreeSet::new() }
    }

    /// An empty folder.
    pub(super) fn folder(&mut self, name: &str) -> io::Result<()> {
        self.folders_above(name)?;
        if self.folders.insert(name.to_owned()) { self.entry(name, DIRECTORY, (0, 0), &[]) } else { Ok(()) }
    }

    /// A file that everybody may read.
    pub(super) fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.with_folders(name, FILE, (0, 0), bytes)
    }

    /// A file that everybody may run.
    pub(super) fn program(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.with_folders(name, PROGRAM, (0, 0), bytes)
    }

    /// A file that only root may read.
    pub(super) fn private(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.with_folders(name, PRIVATE, (0, 0), bytes)
    }

    /// A symbolic link.
    pub(super) fn link(&mut self, name: &str, to: &str) -> io::Result<()> {
        self.with_folders(name, LINK, (0, 0), to.as_bytes())
    }

    /// A character device.
    pub(super) fn device(&mut self, name: &str, major: u32, minor: u32) -> io::Result<()> {
        self.with_folders(name, CHARACTER_DEVICE, (major, minor), &[])
    }

    /// A file of this machine under its own name in the folder `into`, to be run by everybody.
    pub(super) fn copy(&mut self, into: &str, path: &Path) -> io::Result<()> {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        self.program(&format!("{into}/{file}"), &fs::read(path)?)
    }

    /// Writes what closes the archive, and gives back what it was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.entry(TRAILER, 0, (0, 0), &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn with_folders(&mut self, name: &str, mode: u32, device: (u32, u32), bytes: &[u8]) -> io::Result<()> {
        self.folders_above(name)?;
        self.entry(name, mode, device, bytes)
    }

    fn folders_above(&mut self, name: &str) -> io::Result<()> {
        match name.rsplit_once('/') {
            Some((folder, _)) => self.folder(folder),
            None => Ok(()),
        }
    }

    /// The header of 110 bytes, the name with a zero, and the contents, both filled up to a multiple of four.
    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), bytes: &[u8]) -> io::Result<()> {
        self.count += 1;
        let too_large = |_| io::Error::other(format!("{name} is too large for the archive"));
        let length = u32::try_from(bytes.len()).map_err(too_large)?;
        let name_length = u32::try_from(name.len() + 1).map_err(too_large)?;
        // Number, mode, owner, group, links, time, length, the file system's device, the node's, name, checksum.
        let fields = [self.count, mode, 0, 0, 1, 0, length, 0, 0, device.0, device.1, name_length, 0]
            .map(|field| format!("{field:08X}"));
        write!(self.out, "070701{}", fields.concat())?;
        self.out.write_all(name.as_bytes())?;
        self.pad(1, 110 + name.len() + 1)?;
        self.out.write_all(bytes)?;
        self.pad(0, bytes.len())
    }

    /// `extra` zeros, and then as many as bring `length` to a multiple of four.
    fn pad(&mut self, extra: usize, length: usize) -> io::Result<()> {
        let zeros = [0; 4];
        let count = extra + (4 - length % 4) % 4;
        self.out.write_all(zeros.get(..count).unwrap_or(&zeros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(archive: &[u8]) -> String {
        String::from_utf8_lossy(archive).replace('\0', ".")
    }

    #[test]
    fn an_entry_has_its_header_name_and_contents_on_multiples_of_four() {
        let mut archive = Archive::new(Vec::new());
        archive.file("a", b"hello").unwrap();
        let bytes = archive.finish().unwrap();
        let expected = "070701000000010000\
                        81A40000000000000000000000010000000000000005\
                        00000000000000000000000000000000\
                        0000000200000000a.hello...";
        assert_eq!(&text(&bytes)[..expected.len()], expected);
        assert_eq!(bytes.len() % 4, 0);
        assert!(text(&bytes).ends_with("TRAILER!!!...."), "{}", text(&bytes));
    }

    #[test]
    fn folders_come_before_what_is_in_them_and_once() {
        let mut archive = Archive::new(Vec::new());
        archive.file("bin/x/one", b"").unwrap();
        archive.file("bin/x/two", b"").unwrap();
        archive.folder("bin").unwrap();
        let text = text(&archive.finish().unwrap());
        let at = |name: &str| text.find(&format!("{name}.")).unwrap();
        assert!(at("bin") < at("bin/x") && at("bin/x") < at("bin/x/one"));
        assert_eq!(text.matches("bin/x.").count(), 1);
        assert_eq!(text.matches("000041ED").count(), 2);
    }

    #[test]
    fn a_device_has_its_numbers_and_a_link_its_target() {
        let mut archive = Archive::new(Vec::new());
        archive.device("dev/console", 5, 1).unwrap();
        archive.link("bin/sh", "/bin/busybox").unwrap();
        let text = text(&archive.finish().unwrap());
        assert!(text.contains("0000218000000000") && text.contains("0000000500000001"), "{text}");
        assert!(text.contains("/bin/busybox"), "{text}");
    }

    #[test]
    fn padding_fills_up_to_four_and_no_further() {
        for length in 0..9 {
            let mut archive = Archive::new(Vec::new());
            archive.pad(0, length).unwrap();
            assert_eq!((archive.out.len() + length) % 4, 0);
            assert!(archive.out.len() < 4);
        }
    }
}
