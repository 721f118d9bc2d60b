//! A door for the fuzz targets in `core/fuzz`: every parser of the wire on one input. It opens under `--cfg fuzzing`
//! alone, which no program is built with. The other half of the door is `seal_anything` of both sides.
//!
//! What is checked besides "no panic": what a parser takes, `emit` writes so that the parser takes it as the same.

use crate::key::MODULUS_LEN;
use crate::wire::accept::{self, Accept};
use crate::wire::chunk::{Chunk, PAYLOAD_LEN};
use crate::wire::cookie::{self, Cookie};
use crate::wire::data::{Header, MAX_LEN};
use crate::wire::hello::{self, Hello};
use crate::wire::key::{self, Key, Unsigned};
use crate::wire::message::{self, FromCamera, FromDisplay, Purpose};
use crate::wire::read::Writer;

/// Hands `input` to the parser that its first byte names; a layout of fixed length gets it cut or filled up with zeros.
pub fn wire(input: &[u8]) {
    let Some((which, input)) = input.split_first() else { return };
    let epoch = u64::from(which >> 3 & 1);
    let within = (epoch, if which & 16 == 0 { Purpose::Pictures } else { Purpose::Pairing });
    let checked = match which & 7 {
        0 => hello(&fitted(input)),
        1 => cookie(&fitted(input)),
        2 => key(&fitted(input)),
        3 => accept(&fitted(input)),
        4 => header(input),
        5 => from_camera(input, within),
        6 => from_display(input, within),
        // As most messages come: filled up, and a CHUNK wants its whole payload.
        _ => from_camera(&fitted::<{ PAYLOAD_LEN + 20 }>(input), within),
    };
    assert!(checked.is_some(), "what was parsed could not be written");
}

fn fitted<const N: usize>(input: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(input).for_each(|(to, from)| *to = *from);
    out
}

fn hello(bytes: &[u8; hello::LEN]) -> Option<()> {
    let Some(hello) = Hello::parse(bytes) else { return Some(()) };
    let mut again = *bytes;
    hello.emit(&mut Writer::new(&mut again))?;
    assert_eq!(again, *bytes);
    Some(())
}

fn cookie(bytes: &[u8; cookie::LEN]) -> Option<()> {
    let Some(cookie) = Cookie::parse(bytes) else { return Some(()) };
    let mut again = *bytes;
    cookie.emit(&mut Writer::new(&mut again))?;
    assert_eq!(again, *bytes);
    Some(())
}

fn key(bytes: &[u8; key::LEN]) -> Option<()> {
    let Some(key) = Key::parse(bytes) else { return Some(()) };
    assert_eq!(key.signed.len() + MODULUS_LEN + 16, bytes.len());
    let Key { version, client_random, offered, cookie, client_cid, share, ciphertext, auth, .. } = key;
    let unsigned = Unsigned { version, client_random, offered, cookie, client_cid, share, ciphertext, auth };
    let mut again = *bytes;
    unsigned.emit(&mut Writer::new(&mut again))?;
    assert_eq!(again, *bytes);
    Some(())
}

fn accept(bytes: &[u8; accept::LEN]) -> Option<()> {
    let Some((accept, ..)) = Accept::parse(bytes) else { return Some(()) };
    let mut again = *bytes;
    accept.emit(&mut Writer::new(&mut again))?;
    assert_eq!(again, *bytes);
    Some(())
}

fn header(bytes: &[u8]) -> Option<()> {
    let Some((header, len)) = Header::parse(bytes) else { return Some(()) };
    let mut again = [0; MAX_LEN];
    header.emit(&mut Writer::new(&mut again))?;
    assert_eq!(again.get(..len), bytes.get(..len));
    Some(())
}

fn from_camera(bytes: &[u8], (epoch, purpose): (u64, Purpose)) -> Option<()> {
    let Ok(message) = FromCamera::parse(bytes, epoch, purpose) else { return Some(()) };
    let mut buf = [0; MAX_LEN];
    let out = &mut Writer::new(&mut buf);
    match message {
        // Either says nothing, or says a number that is not kept.
        FromCamera::Nothing | FromCamera::Pong => return Some(()),
        FromCamera::Ping(token) => message::emit_ping(out, token)?,
        FromCamera::KexInit(init) => init.emit(out)?,
        FromCamera::PathResponse(token) => message::emit_path_response(out, token)?,
        FromCamera::Close(reason) => reason.emit(out)?,
        FromCamera::Status(status) => status.emit(out)?,
        FromCamera::Enrol(enrol) => enrol.emit(out)?,
        FromCamera::Chunk(chunk) => {
            let Chunk { shape, chunk_idx, repair, last, sent, payload } = chunk;
            // A hint that does not fit the numbers is taken, and never written.
            if last != (chunk_idx + 1 == shape.chunk_cnt) {
                return Some(());
            }
            Chunk::emit(out, &shape, chunk_idx, repair, sent, payload)?;
        }
    }
    assert_eq!(FromCamera::parse(&buf, epoch, purpose), Ok(message));
    Some(())
}

fn from_display(bytes: &[u8], (epoch, purpose): (u64, Purpose)) -> Option<()> {
    let Ok(message) = FromDisplay::parse(bytes, epoch, purpose) else { return Some(()) };
    let mut buf = [0; MAX_LEN];
    let out = &mut Writer::new(&mut buf);
    match message {
        FromDisplay::Nothing | FromDisplay::Pong => return Some(()),
        FromDisplay::Ping(token) => message::emit_ping(out, token)?,
        FromDisplay::Feedback(feedback) => feedback.emit(out)?,
        FromDisplay::KexResp(resp) => resp.emit(out)?,
        FromDisplay::PathChallenge(token) => message::emit_path_challenge(out, token)?,
        FromDisplay::Close(reason) => reason.emit(out)?,
        FromDisplay::Config(limits) => limits.emit(out)?,
        FromDisplay::EnrolOk => message::emit_enrol_ok(out)?,
    }
    assert_eq!(FromDisplay::parse(&buf, epoch, purpose), Ok(message));
    Some(())
}
