//! The device as a whole: each message of the kernel goes to the endpoint that it is for.
//!
//! Bytes and time come in as arguments and messages go out as bytes, so that a test is as good a host as the kernel.

use std::time::Duration;

use crate::descriptors::{Identity, STREAMING_ENDPOINT};
use crate::endpoint0::{Answer, Change, Endpoint0, Setup};
use crate::faults::Faults;
use crate::offer::Offer;
use crate::pictures::Album;
use crate::stream::Stream;
use crate::switches::Mode;
use crate::usbip::{self, Completion, Message, Submit};

/// A camera on its cable.
#[derive(Debug)]
pub struct Camera {
    endpoint0: Endpoint0,
    stream: Stream,
}

impl Camera {
    /// A camera that offers this and sees these pictures, an album for each size of the offer.
    #[must_use]
    pub fn new(offer: Offer, identity: Identity, albums: Vec<Album>, faults: Faults) -> Self {
        let stream = Stream::new(offer.transport, albums, faults);
        Self { endpoint0: Endpoint0::new(offer, identity), stream }
    }

    /// Takes a message; what is answered at once is appended to `out`.
    pub fn handle(&mut self, message: Message, out: &mut Vec<u8>) {
        match message {
            // Requests on endpoint 0 are answered at once, so only the stream has anything to take back.
            Message::Unlink { seqnum, victim } => {
                usbip::emit_unlinked(out, seqnum, self.stream.unlink(victim));
            }
            Message::Submit(submit) if submit.endpoint == 0 => self.control(&submit, out),
            Message::Submit(submit) if submit.endpoint == u32::from(STREAMING_ENDPOINT & 0x0f) => {
                self.stream.submit(submit, out);
            }
            Message::Submit(submit) => Completion::stalled(submit.seqnum).emit(out),
        }
    }

    /// Appends what is due to `out`; says when to come back, if no message comes before.
    pub fn poll(&mut self, now: Duration, mode: Mode, out: &mut Vec<u8>) -> Option<Duration> {
        self.stream.poll(now, mode, out)
    }

    fn control(&mut self, submit: &Submit, out: &mut Vec<u8>) {
        let (answer, change) = self.endpoint0.answer(Setup::from(submit.setup), &submit.data);
        match change {
            Some(Change::Start(selection)) => self.stream.start(selection),
            Some(Change::Stop) => self.stream.stop(),
            None => {}
        }
        let completion = match answer {
            Answer::Data(mut bytes) => {
                bytes.truncate(submit.len);
                Completion::sent(submit.seqnum, bytes)
            }
            Answer::Done => Completion::taken(submit.seqnum, submit.data.len()),
            Answer::Stall => Completion::stalled(submit.seqnum),
        };
        completion.emit(out);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::offer::{Format, Size, Transport};

    #[test]
    fn an_answer_is_never_longer_than_the_hosts_buffer() {
        let sizes = vec![Size { width: 320, height: 240 }];
        let offer = Offer::new(Transport::Bulk, vec![Format::Mjpeg], sizes, NonZeroU32::MIN);
        let identity = Identity { name: "Porch".into(), serial: "0".into() };
        let mut camera = Camera::new(offer, identity, Vec::new(), Faults::default());
        // The request says 18 bytes, the transfer has room for 8.
        let setup = [0x80, 6, 0, 1, 0, 0, 18, 0];
        let submit = Submit { seqnum: 1, to_host: true, len: 8, setup, ..Submit::default() };
        let mut out = Vec::new();
        camera.handle(Message::Submit(submit), &mut out);
        assert_eq!((out.len(), out[27]), (usbip::HEADER_LEN + 8, 8));
    }
}
