//! QEMU's Raspberry Pi 3B: its framebuffer, told to Linux as the Pi's firmware does it, in the device tree.
//!
//! There is no PCI and so no virtio. The screen is plain memory of the VideoCore at a fixed place, which Linux drives as
//! a `simple-framebuffer`, in whichever layout the tree says.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::case::Board;
use super::machine::Pieces;
use crate::failure::{Failure, Result};
use crate::process;

/// Where QEMU puts the framebuffer: the last 64 MiB of the first GiB are the VideoCore's, and in them it lies 1 MiB up.
const BASE: u64 = 0x3C10_0000;

/// Linux's name for the layout, and QEMU's order of colours, for which 1 means red in the lowest byte, but at 16 bits in
/// the highest bits.
fn layout(fb: &str) -> (&'static str, u8) {
    match fb {
        "pi24" => ("r8g8b8", 0),
        "pi32" => ("a8r8g8b8", 0),
        "pi32bgr" => ("a8b8g8r8", 1),
        _ => ("r5g6b5", 1),
    }
}

/// Adds to QEMU's command what this board wants.
pub(super) fn add(command: &mut Command, board: &Board, pieces: &Pieces<'_>) -> Result {
    let tree = pieces.folder.join("tree.dtb");
    let source = format!("usr/lib/linux-image-{}/broadcom/bcm2837-rpi-3-b.dtb", pieces.release);
    let source = pieces.kernel.join(source);
    fs::copy(&source, &tree).map_err(|error| Failure::new(format!("{}: {error}.", source.display())))?;
    for words in changes(board) {
        let mut put = Command::new("fdtput");
        // Options stand before the file, the node and its values behind it.
        let (options, values) =
            words.split_at(words.iter().position(|word| word.starts_with('/')).unwrap_or(0));
        process::read_within(put.args(options).arg(&tree).args(values), Duration::from_secs(20))?;
    }
    command.arg("-dtb").arg(&tree);
    let (_, order) = layout(board.fb.name);
    if board.fb.depth > 0 {
        // A line longer than the picture is, for QEMU, a wider screen.
        for (name, value) in [
            ("xres", board.line.to_string()),
            ("yres", board.height.to_string()),
            ("bpp", board.fb.depth.to_string()),
            ("pixo", order.to_string()),
        ] {
            command.args(["-global", &format!("bcm2835-fb.{name}={value}")]);
        }
    }
    sd_card(command, pieces.folder)
}

/// An empty card: without one the kernel waits for it.
fn sd_card(command: &mut Command, folder: &Path) -> Result {
    let card = folder.join("card.img");
    let made = fs::File::create(&card).and_then(|file| file.set_len(1 << 20));
    made.map_err(|error| Failure::new(format!("{}: {error}.", card.display())))?;
    command.args(["-drive", &format!("if=sd,format=raw,file={}", card.display())]);
    Ok(())
}

/// The calls of `fdtput` that make the tree fit.
fn changes(board: &Board) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    let mut call = |words: &[&str]| calls.push(words.iter().map(|word| (*word).to_owned()).collect());
    // Otherwise the first serial port is Bluetooth's.
    call(&["-r", "/soc/serial@7e201000/bluetooth"]);
    if board.fb.depth == 0 {
        return calls;
    }
    let node = format!("/chosen/framebuffer@{BASE:x}");
    let (format, _) = layout(board.fb.name);
    let stride = board.line * board.fb.depth as usize / 8;
    call(&["-c", &node]);
    for (name, value) in [("compatible", "simple-framebuffer"), ("format", format), ("status", "okay")] {
        call(&["-t", "s", &node, name, value]);
    }
    for (name, value) in [("width", board.width), ("height", board.height), ("stride", stride)] {
        call(&["-t", "u", &node, name, &value.to_string()]);
    }
    call(&["-t", "x", &node, "reg", &format!("{BASE:x}"), &format!("{:x}", stride * board.height)]);
    call(&["-t", "u", "/chosen", "#address-cells", "1"]);
    call(&["-t", "u", "/chosen", "#size-cells", "1"]);
    call(&["-t", "bx", "/chosen", "ranges"]);
    calls
}

#[cfg(test)]
mod tests {
    use super::super::case;
    use super::*;

    #[test]
    fn the_tree_tells_the_line_and_not_only_the_width() {
        let (machine, fb) = (case::machine("raspi3b").unwrap(), case::framebuffer("pi24").unwrap());
        let board = Board { machine, fb, width: 320, height: 240, line: 400 };
        let calls: Vec<String> = changes(&board).into_iter().map(|words| words.join(" ")).collect();
        let node = "/chosen/framebuffer@3c100000";
        assert!(calls.contains(&format!("-t u {node} width 320")), "{calls:?}");
        assert!(calls.contains(&format!("-t u {node} stride 1200")), "{calls:?}");
        assert!(calls.contains(&format!("-t x {node} reg 3c100000 46500")), "{calls:?}");
    }

    #[test]
    fn a_board_without_a_screen_gets_none() {
        let (machine, fb) = (case::machine("raspi3b").unwrap(), case::framebuffer("none").unwrap());
        let board = Board { machine, fb, width: 320, height: 240, line: 320 };
        assert!(!changes(&board).concat().concat().contains("framebuffer"));
    }
}
