//! Endpoint 0: the requests of USB 2.0 chapter 9, and those of UVC 1.0 §4 that negotiate a stream.
//!
//! A request that the camera does not know is stalled, as every device must. What the answer means for the pictures is
//! told as a [`Change`]; they themselves are the business of `stream`.

use crate::descriptors::{
    self, CONFIGURATION, CONTROL_INTERFACE, Identity, STREAMING_ENDPOINT, STREAMING_INTERFACE, kind,
};
use crate::negotiation::{PROPOSAL_LEN, Proposal};
use crate::offer::{Offer, Selection, Transport};

/// Standard requests: USB 2.0 table 9-4.
mod standard {
    pub(super) const GET_STATUS: u8 = 0;
    pub(super) const CLEAR_FEATURE: u8 = 1;
    pub(super) const GET_DESCRIPTOR: u8 = 6;
    pub(super) const GET_CONFIGURATION: u8 = 8;
    pub(super) const SET_CONFIGURATION: u8 = 9;
    pub(super) const GET_INTERFACE: u8 = 10;
    pub(super) const SET_INTERFACE: u8 = 11;
}

/// Requests of the video class: UVC 1.0 table A-8.
mod video {
    pub(super) const SET_CUR: u8 = 0x01;
    pub(super) const GET_CUR: u8 = 0x81;
    pub(super) const GET_MIN: u8 = 0x82;
    pub(super) const GET_MAX: u8 = 0x83;
    pub(super) const GET_LEN: u8 = 0x85;
    pub(super) const GET_INFO: u8 = 0x86;
    pub(super) const GET_DEF: u8 = 0x87;
}

/// Who a request is for and which way its data goes: the first byte of the setup packet.
mod to {
    pub(super) const DEVICE: u8 = 0x00;
    pub(super) const INTERFACE: u8 = 0x01;
    pub(super) const ENDPOINT: u8 = 0x02;
    pub(super) const FROM_DEVICE: u8 = 0x80;
    pub(super) const FROM_INTERFACE: u8 = 0x81;
    pub(super) const FROM_ENDPOINT: u8 = 0x82;
    pub(super) const VIDEO_INTERFACE: u8 = 0x21;
    pub(super) const FROM_VIDEO_INTERFACE: u8 = 0xa1;
}

/// The feature that a halted endpoint has.
const ENDPOINT_HALT: u16 = 0;
/// The alternate setting with the isochronous endpoint.
const STREAMING_SETTING: u8 = 1;

const PROBE_CONTROL: u16 = 0x0100;
const COMMIT_CONTROL: u16 = 0x0200;
/// Of the VideoControl interface: why the last request was stalled.
const ERROR_CODE_CONTROL: u16 = 0x0200;
const NO_ERROR: u8 = 0;
const INVALID_CONTROL: u8 = 6;
const INVALID_REQUEST: u8 = 7;
/// GET and SET are supported.
const GET_AND_SET: u8 = 0b11;

/// The setup packet of a control request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Direction, type and recipient.
    pub kind: u8,
    /// What is asked.
    pub request: u8,
    /// An argument; its meaning depends.
    pub value: u16,
    /// The interface or endpoint, or another argument.
    pub index: u16,
    /// How much data is sent or may be sent back.
    pub len: u16,
}

impl From<[u8; 8]> for Setup {
    fn from([kind, request, v0, v1, i0, i1, l0, l1]: [u8; 8]) -> Self {
        let word = |low, high| u16::from_le_bytes([low, high]);
        Self { kind, request, value: word(v0, v1), index: word(i0, i1), len: word(l0, l1) }
    }
}

/// What the host gets for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// These bytes, no more than it asked for.
    Data(Vec<u8>),
    /// It is done.
    Done,
    /// The camera does not do that.
    Stall,
}

/// What a request means for the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// They begin anew, with these parameters.
    Start(Selection),
    /// They end.
    Stop,
}

/// The state that control requests ask for and change.
#[derive(Debug)]
pub struct Endpoint0 {
    offer: Offer,
    identity: Identity,
    configuration: u8,
    setting: u8,
    probe: Proposal,
    commit: Proposal,
    error: u8,
}

impl Endpoint0 {
    /// Of a camera that was just plugged in.
    #[must_use]
    pub fn new(offer: Offer, identity: Identity) -> Self {
        let probe = Proposal::default().clamped(&offer);
        Self { offer, identity, configuration: 0, setting: 0, probe, commit: probe, error: NO_ERROR }
    }

    /// Answers one request; `data` is what the host sent with it.
    pub fn answer(&mut self, setup: Setup, data: &[u8]) -> (Answer, Option<Change>) {
        let is_video = matches!(setup.kind, to::VIDEO_INTERFACE | to::FROM_VIDEO_INTERFACE);
        let outcome = if is_video { self.video(setup, data) } else { self.standard(setup) };
        let (mut answer, change) = outcome.unwrap_or((Answer::Stall, None));
        if let Answer::Data(bytes) = &mut answer {
            bytes.truncate(usize::from(setup.len));
        }
        (answer, change)
    }

    fn standard(&mut self, setup: Setup) -> Option<(Answer, Option<Change>)> {
        let data = |bytes: Vec<u8>| Some((Answer::Data(bytes), None));
        let Setup { kind, request, value, index, .. } = setup;
        match (kind, request) {
            (to::FROM_DEVICE, standard::GET_DESCRIPTOR) => data(self.descriptor(value)?),
            (to::FROM_DEVICE | to::FROM_INTERFACE | to::FROM_ENDPOINT, standard::GET_STATUS) => {
                data(vec![0, 0])
            }
            (to::FROM_DEVICE, standard::GET_CONFIGURATION) => data(vec![self.configuration]),
            (to::DEVICE, standard::SET_CONFIGURATION) => self.set_configuration(value),
            (to::FROM_INTERFACE, standard::GET_INTERFACE) => match interface(index)? {
                STREAMING_INTERFACE => data(vec![self.setting]),
                _ => data(vec![0]),
            },
            (to::INTERFACE, standard::SET_INTERFACE) => self.set_interface(interface(index)?, value),
            (to::ENDPOINT, standard::CLEAR_FEATURE) if value == ENDPOINT_HALT => {
                // A driver of a bulk endpoint has no other way to say that it wants no more.
                let ends = index == u16::from(STREAMING_ENDPOINT) && self.offer.transport == Transport::Bulk;
                Some((Answer::Done, ends.then_some(Change::Stop)))
            }
            _ => None,
        }
    }

    fn descriptor(&self, value: u16) -> Option<Vec<u8>> {
        let [index, kind] = value.to_le_bytes();
        match (kind, index) {
            (kind::DEVICE, 0) => Some(descriptors::device()),
            (kind::CONFIGURATION, 0) => Some(descriptors::configuration(&self.offer)),
            (kind::STRING, index) => descriptors::string(index, &self.identity),
            _ => None,
        }
    }

    fn set_configuration(&mut self, value: u16) -> Option<(Answer, Option<Change>)> {
        let value = u8::try_from(value).ok().filter(|value| [0, CONFIGURATION].contains(value))?;
        (self.configuration, self.setting) = (value, 0);
        Some((Answer::Done, Some(Change::Stop)))
    }

    fn set_interface(&mut self, interface: u8, value: u16) -> Option<(Answer, Option<Change>)> {
        let change = match (interface, u8::try_from(value).ok()?) {
            (CONTROL_INTERFACE, 0) => None,
            (STREAMING_INTERFACE, 0) => {
                self.setting = 0;
                Some(Change::Stop)
            }
            (STREAMING_INTERFACE, STREAMING_SETTING) if self.offer.transport == Transport::Isochronous => {
                self.setting = STREAMING_SETTING;
                Some(self.start()?)
            }
            _ => return None,
        };
        Some((Answer::Done, change))
    }

    /// A class request. The reason for a stall is kept for the host to ask.
    fn video(&mut self, setup: Setup, data: &[u8]) -> Option<(Answer, Option<Change>)> {
        let [interface, unit] = setup.index.to_le_bytes();
        match (interface, unit, setup.value) {
            (CONTROL_INTERFACE, 0, ERROR_CODE_CONTROL) => {
                let bytes = match setup.request {
                    video::GET_CUR => vec![std::mem::replace(&mut self.error, NO_ERROR)],
                    video::GET_INFO => vec![0b01],
                    _ => return self.fail(INVALID_REQUEST),
                };
                Some((Answer::Data(bytes), None))
            }
            (STREAMING_INTERFACE, 0, control @ (PROBE_CONTROL | COMMIT_CONTROL)) => {
                let is_commit = control == COMMIT_CONTROL;
                let outcome = if setup.request == video::SET_CUR {
                    self.propose(is_commit, data)
                } else {
                    self.ask(is_commit, setup.request).map(|bytes| (Answer::Data(bytes), None))
                };
                outcome.or_else(|| self.fail(INVALID_REQUEST))
            }
            _ => self.fail(INVALID_CONTROL),
        }
    }

    fn propose(&mut self, is_commit: bool, data: &[u8]) -> Option<(Answer, Option<Change>)> {
        self.probe = Proposal::parse(data)?.clamped(&self.offer);
        let mut change = None;
        if is_commit {
            self.commit = self.probe;
            // An isochronous stream begins with the alternate setting, a bulk stream has nothing else to begin with.
            if self.offer.transport == Transport::Bulk {
                change = Some(self.start()?);
            }
        }
        Some((Answer::Done, change))
    }

    fn ask(&self, is_commit: bool, request: u8) -> Option<Vec<u8>> {
        let [shortest, .., longest] = self.offer.intervals;
        let limit = |interval| {
            Some(Proposal { interval, ..Proposal::default() }.clamped(&self.offer).emit().to_vec())
        };
        match request {
            video::GET_CUR => Some(if is_commit { self.commit } else { self.probe }.emit().to_vec()),
            video::GET_LEN => Some((PROPOSAL_LEN as u16).to_le_bytes().to_vec()),
            video::GET_INFO => Some(vec![GET_AND_SET]),
            video::GET_MIN | video::GET_DEF if !is_commit => limit(shortest),
            video::GET_MAX if !is_commit => limit(longest),
            _ => None,
        }
    }

    fn start(&self) -> Option<Change> {
        self.commit.selection(&self.offer).map(Change::Start)
    }

    fn fail(&mut self, error: u8) -> Option<(Answer, Option<Change>)> {
        self.error = error;
        None
    }
}

fn interface(index: u16) -> Option<u8> {
    u8::try_from(index).ok().filter(|index| [CONTROL_INTERFACE, STREAMING_INTERFACE].contains(index))
}

#[cfg(test)]
mod tests;
