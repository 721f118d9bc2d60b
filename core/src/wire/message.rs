//! A packet's plaintext: one message, then zeros (docs/protocol.md §9, §9.6).
//!
//! Which message may come from which side, and in which epoch, is judged here and nowhere else.

use super::chunk::{self, Chunk};
use super::close::{self, CloseReason};
use super::config::{self, DisplayLimits};
use super::enrol::{self, Enrol};
use super::feedback::{self, Feedback};
use super::kex::{self, KexInit, KexResp};
use super::read::{Reader, Writer};
use super::status::{self, Status};

const PADDING: u8 = 0x00;
const PARITY: u8 = 0x02;
const PING: u8 = 0x04;
const PONG: u8 = 0x05;
const PATH_CHALLENGE: u8 = 0x0A;
const PATH_RESPONSE: u8 = 0x0B;

/// Header bytes of PARITY after its type, and its payload: nothing of it is used yet.
const PARITY_BODY: usize = chunk::LEN - 1;

/// What a session is for; it decides what may be said from epoch 1 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Pictures,
    /// Nothing but ENROL, its answer, and what epoch 0 may carry (docs/protocol.md §5).
    Pairing,
}

/// What a camera says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FromCamera<'a> {
    /// PADDING alone, or PARITY, which this version leaves unused.
    Nothing,
    Chunk(Chunk<'a>),
    Ping(u32),
    Pong,
    KexInit(KexInit<'a>),
    PathResponse(&'a [u8; 8]),
    Close(CloseReason),
    Status(Status),
    Enrol(Enrol<'a>),
}

/// What a display says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FromDisplay<'a> {
    /// PADDING alone.
    Nothing,
    Feedback(Feedback),
    Ping(u32),
    Pong,
    KexResp(KexResp<'a>),
    PathChallenge(&'a [u8; 8]),
    Close(CloseReason),
    Config(DisplayLimits),
    EnrolOk,
}

/// An authenticated packet that breaks the protocol: the session is closed with [`CloseReason::Protocol`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation;

impl<'a> FromCamera<'a> {
    /// Parses a packet of a camera.
    pub(crate) fn parse(plaintext: &'a [u8], epoch: u64, purpose: Purpose) -> Result<Self, Violation> {
        let mut at = Reader::new(plaintext);
        let kind = at.u8().ok_or(Violation)?;
        let message = match kind {
            PADDING => Some(Self::Nothing),
            PING => at.u32().map(Self::Ping),
            PONG => at.u32().map(|_token| Self::Pong),
            kex::INIT_TYPE => KexInit::parse(&mut at).map(Self::KexInit),
            PATH_RESPONSE => at.array().map(Self::PathResponse),
            close::TYPE => CloseReason::parse(&mut at).map(Self::Close),
            _ if epoch == 0 => None,
            enrol::TYPE if purpose == Purpose::Pairing => Enrol::parse(&mut at).map(Self::Enrol),
            _ if purpose == Purpose::Pairing => None,
            chunk::TYPE => Chunk::parse(&mut at).map(Self::Chunk),
            PARITY => at.bytes(PARITY_BODY).map(|_body| Self::Nothing),
            status::TYPE => Status::parse(&mut at).map(Self::Status),
            _ => None,
        };
        message.filter(|_| is_padding(at.rest())).ok_or(Violation)
    }
}

impl<'a> FromDisplay<'a> {
    /// Parses a packet of a display.
    pub(crate) fn parse(plaintext: &'a [u8], epoch: u64, purpose: Purpose) -> Result<Self, Violation> {
        let mut at = Reader::new(plaintext);
        let kind = at.u8().ok_or(Violation)?;
        let message = match kind {
            PADDING => Some(Self::Nothing),
            PING => at.u32().map(Self::Ping),
            PONG => at.u32().map(|_token| Self::Pong),
            kex::RESP_TYPE => KexResp::parse(&mut at).map(Self::KexResp),
            PATH_CHALLENGE => at.array().map(Self::PathChallenge),
            close::TYPE => CloseReason::parse(&mut at).map(Self::Close),
            _ if epoch == 0 => None,
            enrol::OK_TYPE if purpose == Purpose::Pairing => Some(Self::EnrolOk),
            _ if purpose == Purpose::Pairing => None,
            feedback::TYPE => Feedback::parse(&mut at).map(Self::Feedback),
            config::TYPE => DisplayLimits::parse(&mut at).map(Self::Config),
            _ => None,
        };
        message.filter(|_| is_padding(at.rest())).ok_or(Violation)
    }
}

/// Writes a PING.
pub(crate) fn emit_ping(out: &mut Writer<'_>, token: u32) -> Option<()> {
    out.u8(PING)?;
    out.u32(token)
}

/// Writes the answer to a PING.
pub(crate) fn emit_pong(out: &mut Writer<'_>, token: u32) -> Option<()> {
    out.u8(PONG)?;
    out.u32(token)
}

/// Writes the answer to an ENROL.
pub(crate) fn emit_enrol_ok(out: &mut Writer<'_>) -> Option<()> {
    out.u8(enrol::OK_TYPE)
}

/// Writes a PATH_CHALLENGE.
pub(crate) fn emit_path_challenge(out: &mut Writer<'_>, token: &[u8; 8]) -> Option<()> {
    out.u8(PATH_CHALLENGE)?;
    out.put(token)
}

/// Writes the answer to a PATH_CHALLENGE.
pub(crate) fn emit_path_response(out: &mut Writer<'_>, token: &[u8; 8]) -> Option<()> {
    out.u8(PATH_RESPONSE)?;
    out.put(token)
}

fn is_padding(rest: &[u8]) -> bool {
    rest.iter().all(|byte| *byte == PADDING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_zero_carries_control_alone() {
        let ping = [PING, 0, 0, 0, 9];
        assert_eq!(FromCamera::parse(&ping, 0, Purpose::Pictures), Ok(FromCamera::Ping(9)));
        let mut chunk = [0; chunk::LEN];
        chunk[0] = chunk::TYPE;
        chunk[9] = 1;
        chunk[11] = 1;
        assert_eq!(FromCamera::parse(&chunk, 0, Purpose::Pictures), Err(Violation));
        assert!(matches!(FromCamera::parse(&chunk, 1, Purpose::Pictures), Ok(FromCamera::Chunk(_))));
        let mut parity = chunk;
        parity[0] = PARITY;
        assert_eq!(FromCamera::parse(&parity, 0, Purpose::Pictures), Err(Violation));
        assert_eq!(FromCamera::parse(&parity, 1, Purpose::Pictures), Ok(FromCamera::Nothing));
    }

    #[test]
    fn each_side_says_only_what_is_its_own() {
        let challenge = [PATH_CHALLENGE, 1, 2, 3, 4, 5, 6, 7, 8];
        assert!(FromDisplay::parse(&challenge, 1, Purpose::Pictures).is_ok());
        assert_eq!(FromCamera::parse(&challenge, 1, Purpose::Pictures), Err(Violation));
    }

    #[test]
    fn a_pairing_session_carries_enrol_and_control_and_no_other_does_enrol() {
        let mut enrol = [0x11; 769];
        enrol[0] = enrol::TYPE;
        assert!(matches!(FromCamera::parse(&enrol, 1, Purpose::Pairing), Ok(FromCamera::Enrol(_))));
        assert_eq!(FromDisplay::parse(&[enrol::OK_TYPE], 1, Purpose::Pairing), Ok(FromDisplay::EnrolOk));
        for (epoch, purpose) in [(0, Purpose::Pairing), (0, Purpose::Pictures), (1, Purpose::Pictures)] {
            assert_eq!(FromCamera::parse(&enrol, epoch, purpose), Err(Violation));
            assert_eq!(FromDisplay::parse(&[enrol::OK_TYPE], epoch, purpose), Err(Violation));
        }
        let (mut chunk, mut parity, status) = ([0; chunk::LEN], [0; chunk::LEN], [status::TYPE; 24]);
        (chunk[0], chunk[9], chunk[11], parity[0]) = (chunk::TYPE, 1, 1, PARITY);
        for picture in [&chunk[..], &parity, &status] {
            assert_eq!(FromCamera::parse(picture, 1, Purpose::Pairing), Err(Violation), "{:#x}", picture[0]);
        }
        let (mut config, mut feedback) = ([0; 17], [0; 28]);
        (config[0], feedback[0]) = (config::TYPE, feedback::TYPE);
        for picture in [&config[..], &feedback] {
            assert!(FromDisplay::parse(picture, 1, Purpose::Pictures).is_ok(), "{:#x}", picture[0]);
            assert_eq!(FromDisplay::parse(picture, 1, Purpose::Pairing), Err(Violation), "{:#x}", picture[0]);
        }
        assert_eq!(FromCamera::parse(&[PING, 0, 0, 0, 9], 1, Purpose::Pairing), Ok(FromCamera::Ping(9)));
    }

    #[test]
    fn what_follows_a_message_is_zeros() {
        assert!(FromCamera::parse(&[PING, 0, 0, 0, 9, 0, 0], 1, Purpose::Pictures).is_ok());
        assert_eq!(FromCamera::parse(&[PING, 0, 0, 0, 9, 0, 1], 1, Purpose::Pictures), Err(Violation));
        assert_eq!(FromCamera::parse(&[0, 0, 0], 1, Purpose::Pictures), Ok(FromCamera::Nothing));
        assert_eq!(FromCamera::parse(&[], 1, Purpose::Pictures), Err(Violation));
        assert_eq!(FromDisplay::parse(&[0x77], 1, Purpose::Pictures), Err(Violation));
    }
}
