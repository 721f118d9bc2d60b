//! The key schedule: from `K_t` and two exchanges to the traffic keys of each epoch (docs/protocol.md §6).

use zeroize::Zeroize;

use crate::hash;
use crate::key::{Fingerprint, Secret};
use crate::wire::{accept, kex, key};

/// Names every primitive of the one suite.
const SUITE: &[u8] = b"scl1 RSA3072-OAEP-SHA256 PSS-SHA256 X25519 MLKEM768 HKDF-SHA256 SFRAME-0001";

/// What the PSS signature covers before `th1`.
pub(crate) const CLIENT_AUTH: &[u8] = b"scl1 client auth v1\0";

/// A transcript hash: public.
pub(crate) type Transcript = [u8; 32];

/// The key of every `mac1`: known to whoever knows the display's fingerprint.
pub(crate) fn mac1_key(display: &Fingerprint) -> [u8; 32] {
    hash::hmac(&display.0, &[b"scl1 mac1"])
}

/// `mac1` over the concatenation of `covered`.
pub(crate) fn mac1(mac1_key: &[u8; 32], covered: &[u8]) -> [u8; 16] {
    hash::hmac_prefix(mac1_key, &[covered])
}

/// `th1`: everything that the camera's signature covers.
pub(crate) fn th1(display: &Fingerprint, signed: &[u8; key::SIGNED_LEN]) -> Transcript {
    hash::sha256(&[b"scl1 th1", &display.0, signed])
}

/// `th2`: the whole handshake.
pub(crate) fn th2(th1: &Transcript, auth: &[u8; 384], accept: &[u8; accept::BOUND_LEN]) -> Transcript {
    hash::sha256(&[b"scl1 th2", th1, auth, accept])
}

/// HS of docs/protocol.md §6: what remains of `K_t` and the X25519 exchange.
pub(crate) struct HandshakeSecret(Secret);

impl HandshakeSecret {
    /// `shared` is the X25519 output, already known not to be zero; both inputs are spent.
    pub(crate) fn new(transported: Secret, mut shared: [u8; 32], th1: &Transcript) -> Self {
        let early = hash::extract(&hash::sha256(&[SUITE]), transported.as_bytes());
        let salt = hash::derive(&early, b"derived", th1);
        let secret = hash::extract(salt.as_bytes(), &shared);
        shared.zeroize();
        Self(secret)
    }

    /// The MAC that ends ACCEPT.
    pub(crate) fn finished(&self, th2: &Transcript) -> [u8; 32] {
        let key = hash::derive(&self.0, b"s finished", b"");
        hash::hmac(key.as_bytes(), &[th2])
    }

    /// What a pairing run is bound to; derived for no other session.
    pub(crate) fn exporter(&self, th2: &Transcript) -> Secret {
        hash::derive(&self.0, b"exporter", th2)
    }

    /// Epoch 0. The handshake secret is spent.
    pub(crate) fn into_epoch(self, th2: Transcript) -> EpochSecret {
        EpochSecret { number: 0, secret: hash::derive(&self.0, b"epoch", &th2), transcript: th2 }
    }
}

/// `E_n` and `T_n`.
pub(crate) struct EpochSecret {
    number: u64,
    secret: Secret,
    transcript: Transcript,
}

impl EpochSecret {
    /// n.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    #[cfg(test)]
    pub(crate) const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The RFC 9605 `base_key` for packets from the camera to the display.
    pub(crate) fn base_c2s(&self) -> Secret {
        hash::derive(&self.secret, b"c2s", &self.transcript)
    }

    /// The RFC 9605 `base_key` for packets from the display to the camera.
    pub(crate) fn base_s2c(&self) -> Secret {
        hash::derive(&self.secret, b"s2c", &self.transcript)
    }

    /// `E_{n+1}`: this one and the exchange's secret (`mlkem_ss ‖ x25519_ss`), bound to both shares.
    pub(crate) fn next(
        &self,
        init: &[u8; kex::INIT_LEN],
        resp: &[u8; kex::RESP_LEN],
        exchanged: &[u8; 64],
    ) -> Self {
        let transcript = hash::sha256(&[b"scl1 kex", &self.transcript, init, resp]);
        let salt = hash::derive(&self.secret, b"next", &self.transcript);
        let mixed = hash::extract(salt.as_bytes(), exchanged);
        Self { number: self.number + 1, secret: hash::derive(&mixed, b"epoch", &transcript), transcript }
    }
}
