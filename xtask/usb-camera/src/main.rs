//! `usb-camera DIR`: plugs the camera in and serves it until the process is ended.

use std::num::NonZeroU32;
use std::process::ExitCode;

use usb_camera::args::{self, Command, HELP, Wish};
use usb_camera::camera::Camera;
use usb_camera::failure::Result;
use usb_camera::offer::{Format, Offer, Transport};
use usb_camera::pictures::{self, Album};
use usb_camera::switches::Switches;
use usb_camera::{port, serve};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("usb-camera: {failure}");
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run() -> Result {
    let wish = match args::parse(std::env::args_os().skip(1))? {
        Command::Help => {
            print!("{HELP}");
            return Ok(());
        }
        Command::PlugIn(wish) => wish,
    };
    let albums = pictures::load(&wish.dir, wish.formats.contains(&Format::Mjpeg))?;
    let sizes = albums.iter().map(|album| album.size).collect();
    let offer = Offer::new(wish.transport, wish.formats.clone(), sizes, wish.fps);
    let plugged_in = described(&wish, &offer, &albums);
    let mut camera = Camera::new(offer, wish.identity, albums, wish.faults);
    let link = port::plug_in(wish.port)?;
    eprintln!("usb-camera: {plugged_in}");
    serve::serve(link, &mut camera, &mut Switches::new(&wish.dir))
}

/// One line on what was plugged in where.
fn described(wish: &Wish, offer: &Offer, albums: &[Album]) -> String {
    let endpoint = match wish.transport {
        Transport::Isochronous => "isochronous",
        Transport::Bulk => "bulk",
    };
    let formats = wish.formats.iter().map(|format| match format {
        Format::Mjpeg => "MJPEG",
        Format::Yuyv => "YUYV",
    });
    let sizes = albums.iter().map(|album| format!("{} ({} pictures)", album.size, album.pictures.len()));
    let mut line = format!(
        "\"{}\" {} is plugged in at port {}: {endpoint} endpoint; {}; {}; {} frames per second",
        wish.identity.name,
        wish.identity.serial,
        wish.port,
        formats.collect::<Vec<_>>().join(" and "),
        sizes.collect::<Vec<_>>().join(", "),
        offer.rates()
    );
    let faults = [("lost", wish.faults.lose), ("damaged", wish.faults.damage)];
    for (what, every) in faults {
        let every = every.map(NonZeroU32::get);
        line.extend(every.map(|every| format!("; one packet in {every} {what}")));
    }
    line
}
