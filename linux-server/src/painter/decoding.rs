//! Decoding on a thread of its own.
//!
//! A frame may take longer to decode than it stays fresh: a huge one, a slow machine, a camera that means harm. The
//! painter must not stand still meanwhile, for it watches the age of what is on the screen. So it lends a frame and a
//! picture, one at a time, and is told when they are back.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::Builder;

use sealcam_linux::confinement::Confinement;

use super::mailbox::Parcel;
use super::shared::Shared;
use crate::decode::{Decoder, Picture, Undecodable};
use crate::sink::restore;

/// What turns a JPEG into a picture.
pub(super) type Decode = Box<dyn FnMut(&[u8], &mut Picture) -> Result<(), Undecodable> + Send>;

/// The decoder of JPEGs, for a thread of its own.
pub(super) fn decoder() -> Decode {
    let mut decoder = Decoder::new();
    Box::new(move |jpeg, picture| decoder.decode(jpeg, picture))
}

/// What comes back.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The frame.
    pub(super) frame: Parcel,
    /// The picture, empty if the frame could not be decoded.
    pub(super) picture: Picture,
    /// Whether it could.
    pub(super) result: Result<(), Undecodable>,
}

/// The decoding thread's handle. Dropping it ends the thread once its frame is done; nobody waits for that.
pub(super) struct Decoding {
    work: Sender<(Parcel, Picture)>,
    /// The picture to be decoded into next, while no frame is being decoded.
    spare: Option<Picture>,
}

impl Decoding {
    /// Starts the thread, or says why the system has none.
    pub(super) fn start(mut decode: Decode, shared: &Arc<Shared>) -> std::io::Result<Self> {
        let (work, todo) = channel::<(Parcel, Picture)>();
        let shared = Arc::clone(shared);
        let body = move || {
            // Pictures come from outside, and this is all that is done with them here.
            let _entered = Confinement::new().enter();
            for (frame, mut picture) in todo {
                let result = decode(&frame.jpeg, &mut picture);
                shared.decoded(Decoded { frame, picture, result });
            }
        };
        Builder::new().name(restore::DECODER_THREAD.to_owned()).spawn(body)?;
        Ok(Self { work, spare: Some(Picture::new()) })
    }

    /// Whether a frame is being decoded, or done and not yet taken back.
    pub(super) fn is_busy(&self) -> bool {
        self.spare.is_none()
    }

    /// Begins with this frame. While another is being decoded it comes back.
    pub(super) fn begin(&mut self, frame: Parcel) -> Option<Parcel> {
        let Some(picture) = self.spare.take() else { return Some(frame) };
        match self.work.send((frame, picture)) {
            Ok(()) => None,
            // The thread ends only with this handle, so this does not happen.
            Err(unsent) => Some(unsent.0.0),
        }
    }

    /// Takes a picture back that is not on the screen.
    pub(super) fn give_back(&mut self, picture: Picture) {
        self.spare = Some(picture);
    }
}
