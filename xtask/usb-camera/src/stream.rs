//! The streaming endpoint: transfers that wait, and the pictures that fill them when they are due.
//!
//! Over an isochronous endpoint time goes by the bus: a transfer of 32 packets is over after 32 microframes, with
//! pictures in them or without. Over a bulk endpoint a transfer waits until there is a payload for it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::faults::{self, Fate, Faults};
use crate::offer::{BULK_PAYLOAD_LEN, ISO_PACKET_LEN, Selection, Transport};
use crate::payload::Cutter;
use crate::pictures::{self, Album};
use crate::schedule::{Bus, MICROFRAME, Pace, Slot};
use crate::switches::Mode;
use crate::usbip::{Completion, PacketDone, Status, Submit};

/// The endpoint with its pictures.
#[derive(Debug)]
pub struct Stream {
    transport: Transport,
    albums: Vec<Album>,
    faults: Faults,
    running: Option<Running>,
    waiting: VecDeque<Submit>,
    cutter: Cutter,
    bus: Bus,
}

/// What is streamed since the host asked for it.
#[derive(Debug)]
struct Running {
    selection: Selection,
    /// From the first transfer on: a slow host that takes its time until then misses no picture.
    pace: Option<Pace>,
    /// The number of the picture shown last, which a frozen camera shows on.
    shown: u64,
}

impl Stream {
    /// An endpoint over which nothing is streamed yet.
    #[must_use]
    pub fn new(transport: Transport, albums: Vec<Album>, faults: Faults) -> Self {
        Self {
            transport,
            albums,
            faults,
            running: None,
            waiting: VecDeque::new(),
            cutter: Cutter::default(),
            bus: Bus::default(),
        }
    }

    /// Streams from now on; the first picture is due with the first transfer.
    pub fn start(&mut self, selection: Selection) {
        self.stop();
        self.running = Some(Running { selection, pace: None, shown: 0 });
    }

    /// Streams no more. What is left of a picture is not sent later.
    pub fn stop(&mut self) {
        self.running = None;
        self.cutter.abandon();
        self.bus.rest();
    }

    /// Takes a transfer, or refuses it at once where the endpoint does not exist: an isochronous one is there only
    /// while it streams.
    pub fn submit(&mut self, submit: Submit, out: &mut Vec<u8>) {
        let fits = match self.transport {
            Transport::Isochronous => self.running.is_some() && !submit.packets.is_empty(),
            Transport::Bulk => submit.packets.is_empty(),
        };
        if fits && submit.to_host {
            self.waiting.push_back(submit);
        } else {
            Completion::stalled(submit.seqnum).emit(out);
        }
    }

    /// Takes a transfer back; `false` if it is over already.
    pub fn unlink(&mut self, seqnum: u32) -> bool {
        let place = self.waiting.iter().position(|submit| submit.seqnum == seqnum);
        place.and_then(|place| self.waiting.remove(place)).is_some()
    }

    /// Ends every transfer whose time has come; says when the next one's will have.
    pub fn poll(&mut self, now: Duration, mode: Mode, out: &mut Vec<u8>) -> Option<Duration> {
        while let Some(first) = self.waiting.pop_front() {
            let outcome = match self.transport {
                Transport::Isochronous => self.isochronous(now, mode, &first),
                Transport::Bulk => self.bulk(now, mode, &first),
            };
            match outcome {
                Ok(completion) => completion.emit(out),
                Err(later) => {
                    self.waiting.push_front(first);
                    return later;
                }
            }
        }
        None
    }

    /// The transfer once all its microframes have passed, or when they will have.
    fn isochronous(
        &mut self,
        now: Duration,
        mode: Mode,
        submit: &Submit,
    ) -> Result<Completion, Option<Duration>> {
        let step = MICROFRAME.saturating_mul(submit.interval.max(1));
        let count = u32::try_from(submit.packets.len()).unwrap_or(u32::MAX);
        let mut at = match self.bus.slot(now, step.saturating_mul(count)) {
            Slot::From(start) => start,
            Slot::Until(end) => return Err(Some(end)),
        };
        let mut data = Vec::new();
        let mut packets = Vec::with_capacity(submit.packets.len());
        for room in &submit.packets {
            self.begin_if_due(at, mode);
            at = at.saturating_add(step);
            let (sent, status) = self.packet(room.len.min(u32::from(ISO_PACKET_LEN)) as usize);
            packets.push(PacketDone { room: *room, len: sent.len() as u32, status });
            data.extend(sent);
        }
        Ok(Completion { packets, ..Completion::sent(submit.seqnum, data) })
    }

    /// One packet; empty where there is nothing to send, and where it was lost.
    fn packet(&mut self, max_len: usize) -> (Vec<u8>, Status) {
        let Some(mut payload) = self.cutter.cut(max_len) else { return (Vec::new(), Status::Done) };
        match self.faults.decide() {
            Fate::Arrives => {}
            Fate::Damaged => faults::damage(&mut payload),
            Fate::Lost => return (Vec::new(), Status::Lost),
        }
        (payload, Status::Done)
    }

    /// The transfer with one payload in it, or when there will be one. A host's transfers hold a whole payload.
    fn bulk(&mut self, now: Duration, mode: Mode, submit: &Submit) -> Result<Completion, Option<Duration>> {
        self.begin_if_due(now, mode);
        let max_len = submit.len.min(BULK_PAYLOAD_LEN as usize);
        if self.cutter.is_idle() {
            let pace = self.running.as_ref().and_then(|running| running.pace.as_ref());
            return Err(pace.map(Pace::due));
        }
        // What has no room for a payload gets nothing, and the next one may have.
        let mut payload = self.cutter.cut(max_len).unwrap_or_default();
        // Over bulk nothing is lost: the bus repeats it.
        if self.faults.decide() == Fate::Damaged {
            faults::damage(&mut payload);
        }
        Ok(Completion::sent(submit.seqnum, payload))
    }

    /// Begins the next picture if the last one has gone and the next one's time has come.
    fn begin_if_due(&mut self, at: Duration, mode: Mode) {
        let Some(running) = self.running.as_mut().filter(|_| self.cutter.is_idle()) else { return };
        let pace = running.pace.get_or_insert_with(|| Pace::new(at, running.selection.interval));
        let Some(number) = pace.take(at).filter(|_| !mode.stalled) else { return };
        if !mode.frozen {
            running.shown = number;
        }
        self.cutter.begin(pictures::picture(&self.albums, &running.selection, running.shown));
    }
}

#[cfg(test)]
mod tests;
