//! The cameras of this machine, for a person: stable names, formats, sizes and rates.

use std::fmt::Write as _;

use sealcam_linux::answer;
use sealcam_linux::exit::Result;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;
use v4l::{Device, FourCC};

use super::nodes::{Node, nodes};
use super::sys::PixelFormat;
use super::trouble::Trouble;
use super::{choose, device, sys};

/// Prints the cameras to standard output.
///
/// # Errors
/// Standard output cannot be written. Having no camera is no error.
pub(crate) fn print() -> Result<()> {
    let nodes = nodes();
    let mut text = String::new();
    let mut cameras = 0;
    let mut denied = false;
    for node in &nodes {
        match describe(node) {
            Ok(None) => {}
            Ok(Some(about)) => {
                cameras += 1;
                text += &about;
            }
            // As true of the others as of the first.
            Err(Trouble::Denied(_)) if denied => {}
            Err(trouble) => {
                denied |= matches!(trouble, Trouble::Denied(_));
                text += &format!("{}\n\n", trouble.text());
            }
        }
    }
    if cameras == 0 && !denied {
        text += &nothing_found(nodes.len());
    }
    answer::print(text.trim_end())
}

fn nothing_found(nodes: usize) -> String {
    let looked = match nodes {
        0 => "No camera was found: there is no /dev/video*.",
        _ => "No camera was found among the devices /dev/video*.",
    };
    format!(
        "{looked}\nPlug in a USB camera (`lsusb` shows whether the machine sees it). A camera on a Raspberry Pi's flat \
         cable comes in\nthrough a pipe: rpicam-vid -t 0 --codec mjpeg -o - | sealcam-client --source -\nWithout any \
         camera: sealcam-client --source pattern\n"
    )
}

/// What a person should know of a camera; `None` if the node is none.
fn describe(node: &Node) -> std::result::Result<Option<String>, Trouble> {
    let (device, identity) = match device::open(&node.path) {
        Ok((_, identity)) if !identity.is_capture() => return Ok(None),
        Ok(opened) => opened,
        Err(e) => return Err(Trouble::from_io(&node.path, "opening it", &e)),
    };
    let formats = sys::formats(&device);
    let mut text = format!("{} ({}, at {})\n", identity.card, identity.driver, identity.bus);
    text += &names(node);
    match device::jpeg_format(&formats) {
        Some(fourcc) => {
            text += &modes(&device, fourcc);
            text += &other_formats(&formats, fourcc);
        }
        None => {
            _ = writeln!(text, "  no MJPEG, so it cannot be used here; it gives:");
            for PixelFormat { fourcc, description } in &formats {
                _ = writeln!(text, "    {fourcc}  {description}");
            }
        }
    }
    text.push('\n');
    Ok(Some(text))
}

/// The node's names, each as `--source` takes it, the one to use first.
fn names(Node { path, stable }: &Node) -> String {
    let mut text = String::new();
    for name in stable {
        _ = writeln!(text, "  --source camera:{}", name.display());
    }
    let note = if stable.is_empty() { "" } else { "   (the number may change)" };
    _ = writeln!(text, "  --source camera:{}{note}", path.display());
    text
}

fn modes(device: &Device, fourcc: FourCC) -> String {
    let sizes = device.enum_framesizes(fourcc).unwrap_or_default();
    let mut text = format!("  {fourcc}\n");
    if sizes.is_empty() {
        text = format!("  {fourcc}, sizes not told by the driver\n");
    }
    for size in sizes {
        let (shown, width, height) = match size.size {
            FrameSizeEnum::Discrete(size) => (size.to_string(), size.width, size.height),
            FrameSizeEnum::Stepwise(step) => (
                format!(
                    "{}x{} to {}x{}, in steps of {}x{}",
                    step.min_width,
                    step.min_height,
                    step.max_width,
                    step.max_height,
                    step.step_width.max(1),
                    step.step_height.max(1)
                ),
                step.max_width,
                step.max_height,
            ),
        };
        let rates = device.enum_frameintervals(fourcc, width, height).unwrap_or_default();
        let rates = rates_text(rates.iter().map(|offered| &offered.interval));
        _ = writeln!(text, "    {shown:<10} {rates}");
    }
    text
}

fn rates_text<'a>(offered: impl Iterator<Item = &'a FrameIntervalEnum>) -> String {
    let one = |range: &FrameIntervalEnum| match range {
        FrameIntervalEnum::Discrete(interval) => choose::number(choose::rate(*interval)),
        FrameIntervalEnum::Stepwise(step) => {
            format!(
                "{} to {}",
                choose::number(choose::rate(step.max)),
                choose::number(choose::rate(step.min))
            )
        }
    };
    let rates: Vec<String> = offered.map(one).collect();
    if rates.is_empty() { "rate not told".into() } else { format!("{} frames/s", rates.join(", ")) }
}

fn other_formats(formats: &[PixelFormat], used: FourCC) -> String {
    let others: Vec<String> = formats
        .iter()
        .filter(|format| format.fourcc != used)
        .map(|format| format.fourcc.to_string())
        .collect();
    if others.is_empty() { String::new() } else { format!("  also {}, not used here\n", others.join(", ")) }
}

#[cfg(test)]
mod tests {
    use v4l::Fraction;

    use super::*;

    #[test]
    fn rates_are_shown_as_people_know_them() {
        let interval =
            |numerator, denominator| FrameIntervalEnum::Discrete(Fraction::new(numerator, denominator));
        let offered = [interval(1, 30), interval(1001, 30_000), interval(2, 15), interval(1, 5)];
        assert_eq!(rates_text(offered.iter()), "30, 29.97, 7.5, 5 frames/s");
        assert_eq!(rates_text([].iter()), "rate not told");
    }

    #[test]
    fn stable_name_stands_first() {
        let stable = "/dev/v4l/by-path/pci-usb-0:1:1.0-video-index0";
        let node = Node { path: "/dev/video0".into(), stable: vec![stable.into()] };
        let text = names(&node);
        let mut lines = text.lines();
        assert_eq!(lines.next().map(str::trim), Some(format!("--source camera:{stable}").as_str()));
        assert!(lines.next().is_some_and(|line| line.contains("camera:/dev/video0 ")));
    }

    #[test]
    fn no_camera_is_an_answer_that_helps() {
        let text = nothing_found(0);
        assert!(text.contains("--source pattern") && text.contains("--source -"), "{text}");
    }
}
