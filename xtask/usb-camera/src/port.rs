//! A port of the kernel's virtual host controller: plugging in is handing it one end of a socket pair.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::failure::{Exit, Failure, Result};

/// Where `vhci-hcd` takes devices.
const ATTACH: &str = "/sys/devices/platform/vhci_hcd.0/attach";

/// How many high-speed ports a controller has; those above are for faster devices.
pub const PORTS: u8 = 8;

/// A device is known by a bus and a number on it, those of the machine that it is plugged into in truth: none here.
const BUS: u32 = 1 << 16;

/// `USB_SPEED_HIGH` of the kernel.
const HIGH_SPEED: u8 = 3;

/// Plugs in. It is pulled out when the socket is closed, at the latest when the process ends.
///
/// # Errors
/// [`Exit::Port`] if there is no such port, it is taken, or we may not.
pub fn plug_in(port: u8) -> Result<UnixStream> {
    attach(Path::new(ATTACH), port)
}

fn attach(file: &Path, port: u8) -> Result<UnixStream> {
    let (ours, kernels) = UnixStream::pair()
        .map_err(|error| Failure::new(Exit::Port, format!("Cannot make a pair of sockets: {error}.")))?;
    let device = BUS + 2 + u32::from(port);
    let line = format!("{port} {} {device} {HIGH_SPEED}", kernels.as_raw_fd());
    let handed =
        OpenOptions::new().write(true).open(file).and_then(|mut file| file.write_all(line.as_bytes()));
    // From here on the kernel holds its end itself.
    drop(kernels);
    handed.map(|()| ours).map_err(|error| Failure::new(Exit::Port, refused(file, port, &error)))
}

fn refused(file: &Path, port: u8, error: &io::Error) -> String {
    let advice = match error.kind() {
        ErrorKind::NotFound => String::from("The kernel has no virtual host controller: `modprobe vhci-hcd`"),
        ErrorKind::PermissionDenied => String::from("Only root may: run this as root"),
        ErrorKind::ResourceBusy => String::from("Another device is plugged in there: take another --port"),
        ErrorKind::InvalidInput => format!("Take a --port from 0 to {}", PORTS - 1),
        _ => String::from("`dmesg` may tell why"),
    };
    format!("Cannot plug in at port {port} through {}: {error}. {advice}.", file.display())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn the_kernel_is_told_port_socket_device_and_speed() {
        let scratch = Scratch::new();
        let file = scratch.write("attach", b"");
        let mut ours = attach(&file, 3).unwrap();
        let line = std::fs::read_to_string(&file).unwrap();
        let words: Vec<_> = line.split(' ').collect();
        assert_eq!((words.len(), words[0], words[2], words[3]), (4, "3", "65541", "3"));
        assert!(words[1].parse::<u32>().is_ok());
        // Nobody else holds the other end, as the kernel would.
        assert_eq!(ours.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_failure_says_what_to_do() {
        let scratch = Scratch::new();
        let failure = attach(&scratch.path().join("attach"), 0).unwrap_err();
        assert_eq!(failure.exit, Exit::Port);
        assert!(failure.message.contains("modprobe vhci-hcd"), "{failure}");
        for (kind, advice) in [
            (ErrorKind::PermissionDenied, "root"),
            (ErrorKind::ResourceBusy, "another --port"),
            (ErrorKind::InvalidInput, "0 to 7"),
            (ErrorKind::Other, "dmesg"),
        ] {
            let message = refused(Path::new("attach"), 9, &io::Error::from(kind));
            assert!(message.contains("port 9") && message.contains(advice), "{message}");
        }
    }
}
