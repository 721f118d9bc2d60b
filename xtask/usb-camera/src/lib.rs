//! A USB camera made of software. The kernel's virtual host controller (`vhci-hcd`) takes it for a device on a cable,
//! and the kernel's own `uvcvideo` makes a `/dev/videoN` of it.
//!
//! ```text
//! program under test ─ /dev/video0 ─ uvcvideo ─ USB core ─ vhci-hcd ═ socket pair, USB/IP ═ this program ─ DIR/WxH/*.jpg
//! ```
//!
//! The device is a high-speed one after the *USB Device Class Definition for Video Devices*, revision 1.0 ("UVC" in the
//! comments here), and after chapter 9 of the USB 2.0 specification. What a program sees behind it is the real driver:
//! format negotiation, isochronous or bulk transfers, buffers of damaged frames, a disconnect when the cable is pulled.
//!
//! From outside in: [`serve`] waits and moves bytes, [`usbip`] makes messages of them, [`camera`] sends each to the
//! endpoint that it is for. [`endpoint0`] answers the control requests out of [`descriptors`] and [`negotiation`];
//! [`stream`] fills transfers with pictures, cut by [`payload`], when [`schedule`] says that they are due. All but
//! [`serve`], [`port`], [`clock`] and [`switches`] work on bytes and on a time that they are told.

pub mod args;
pub mod camera;
pub mod clock;
pub mod descriptors;
pub mod endpoint0;
pub mod failure;
pub mod faults;
pub mod negotiation;
pub mod offer;
pub mod payload;
pub mod pictures;
pub mod port;
pub mod schedule;
#[cfg(test)]
mod scratch;
pub mod serve;
pub mod stream;
pub mod switches;
pub mod usbip;
