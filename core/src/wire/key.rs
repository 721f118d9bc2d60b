//! KEY: the camera delivers the session's seed, encrypted and signed (docs/protocol.md §3.3).
//!
//! ```text
//!    0  u8      0x03
//!    1  u8      version
//!    2  u16     flags (as HELLO; PAIRING exactly when auth_type = 2)
//!    4  [32]    client_random (as HELLO)
//!   36  [8]     offered (as HELLO)
//!   44  [32]    cookie
//!   76  u32     client_cid
//!   80  [32]    x_c, an X25519 public key
//!  112  [384]   ct = RSA-OAEP(n_s, K_t)
//!  496  u8      auth_type: 1 = PSS, 2 = pairing MAC
//!  497  [3]     0
//!  500  [32]    camera_id; zeros when auth_type = 2
//!  532  [384]   auth: PSS signature, or MAC[32] and zeros
//!  916  [16]    mac1
//! ```

use super::hello::FLAG_PAIRING;
use super::read::{Reader, Writer};
use super::versions::Versions;
use crate::key::MODULUS_LEN;

/// The type byte.
pub(crate) const TYPE: u8 = 0x03;
/// The whole datagram.
pub(crate) const LEN: usize = 932;
/// What the signature covers (through `th1`).
pub(crate) const SIGNED_LEN: usize = 532;
/// What `mac1` covers.
pub(crate) const MAC_OFFSET: usize = 916;

const AUTH_PSS: u8 = 1;
const AUTH_PAIRING: u8 = 2;

/// How the sender says who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth<'a> {
    /// A signature by an enrolled camera.
    Signature { camera_id: &'a [u8; 32] },
    /// A MAC by whoever knows a pairing window's secret.
    Pairing,
}

/// A well-formed KEY; `mac1`, cookie and signature are checked apart, in the order of docs/protocol.md §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key<'a> {
    pub(crate) version: u8,
    pub(crate) flags: u16,
    pub(crate) client_random: &'a [u8; 32],
    pub(crate) offered: Versions,
    pub(crate) cookie: &'a [u8; 32],
    pub(crate) client_cid: u32,
    pub(crate) share: &'a [u8; 32],
    pub(crate) ciphertext: &'a [u8; MODULUS_LEN],
    pub(crate) auth: Auth<'a>,
    /// Bytes 0..532: what `th1` covers.
    pub(crate) signed: &'a [u8; SIGNED_LEN],
    /// Bytes 532..916.
    pub(crate) auth_bytes: &'a [u8; MODULUS_LEN],
}

impl<'a> Key<'a> {
    pub(crate) fn parse(datagram: &'a [u8; LEN]) -> Option<Self> {
        let signed = datagram.first_chunk()?;
        let mut at = Reader::new(datagram);
        if at.u8()? != TYPE {
            return None;
        }
        let version = at.u8()?;
        let flags = at.u16()?;
        let client_random = at.array()?;
        let offered = Versions::parse(at.array()?)?;
        let cookie = at.array()?;
        let client_cid = at.u32()?;
        let share = at.array()?;
        let ciphertext = at.array()?;
        let auth_type = at.u8()?;
        let reserved: &[u8; 3] = at.array()?;
        let camera_id: &[u8; 32] = at.array()?;
        let auth_bytes: &[u8; MODULUS_LEN] = at.array()?;
        let auth = match (auth_type, flags) {
            (AUTH_PSS, 0) => Auth::Signature { camera_id },
            (AUTH_PAIRING, FLAG_PAIRING)
                if is_zero(camera_id) && auth_bytes.iter().skip(32).all(|b| *b == 0) =>
            {
                Auth::Pairing
            }
            _ => return None,
        };
        is_zero(reserved).then_some(Self {
            version,
            flags,
            client_random,
            offered,
            cookie,
            client_cid,
            share,
            ciphertext,
            auth,
            signed,
            auth_bytes,
        })
    }
}

/// What a camera puts into the signed part of a KEY.
pub(crate) struct Unsigned<'a> {
    pub(crate) version: u8,
    pub(crate) client_random: &'a [u8; 32],
    pub(crate) offered: Versions,
    pub(crate) cookie: &'a [u8; 32],
    pub(crate) client_cid: u32,
    pub(crate) share: &'a [u8; 32],
    pub(crate) ciphertext: &'a [u8; MODULUS_LEN],
    pub(crate) auth: Auth<'a>,
}

impl Unsigned<'_> {
    /// Writes bytes 0..532; the signature or MAC, and `mac1`, follow.
    pub(crate) fn emit(&self, out: &mut Writer<'_>) -> Option<()> {
        let (flags, auth_type, camera_id) = match self.auth {
            Auth::Signature { camera_id } => (0, AUTH_PSS, camera_id),
            Auth::Pairing => (FLAG_PAIRING, AUTH_PAIRING, &[0; 32]),
        };
        out.u8(TYPE)?;
        out.u8(self.version)?;
        out.u16(flags)?;
        out.put(self.client_random)?;
        out.put(self.offered.as_bytes())?;
        out.put(self.cookie)?;
        out.u32(self.client_cid)?;
        out.put(self.share)?;
        out.put(self.ciphertext)?;
        out.u8(auth_type)?;
        out.zeros(3)?;
        out.put(camera_id)
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
