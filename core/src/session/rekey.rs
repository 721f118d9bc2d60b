//! The exchange inside the channel that begins every epoch from 1 on: X25519 and ML-KEM-768 in TLS's order
//! (docs/protocol.md §8; draft-ietf-tls-ecdhe-mlkem).
//!
//! When an exchange begins, and how its packets are repeated, is the business of the two links.

use ml_kem::kem::{Decapsulate, KeyExport};
use ml_kem::{DecapsulationKey768, EncapsulationKey768};
use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

use crate::handshake::schedule::EpochSecret;
use crate::random::{self, RandomFailed};
use crate::wire::kex::{HALF_LEN, Half, INIT_LEN, KexInit, KexResp, RESP_LEN};
use crate::wire::message::Violation;

/// ML-KEM-768 sizes (FIPS 203 table 3).
const ENCAPSULATION_KEY_LEN: usize = 1184;
const CIPHERTEXT_LEN: usize = 1088;

/// Camera: a share that is out, and the secrets that its answer needs.
pub(crate) struct Initiator {
    epoch: u64,
    share: [u8; INIT_LEN],
    /// The seed from which the decapsulation key is made again: 64 bytes instead of 2400.
    seed: Zeroizing<[u8; 64]>,
    secret: StaticSecret,
}

impl Initiator {
    /// Draws a share for epoch `epoch`.
    pub(crate) fn new(epoch: u64, rng: &mut impl TryCryptoRng) -> Result<Self, RandomFailed> {
        let seed = Zeroizing::new(random::bytes(rng)?);
        let secret = StaticSecret::from(random::bytes::<32>(rng)?);
        let key = DecapsulationKey768::from_seed((*seed).into());
        let mut share = [0; INIT_LEN];
        let public = PublicKey::from(&secret);
        let encapsulation_key = key.encapsulation_key().to_bytes();
        for (to, from) in share.iter_mut().zip(encapsulation_key.iter().chain(public.as_bytes())) {
            *to = *from;
        }
        Ok(Self { epoch, share, seed, secret })
    }

    /// The epoch that it is for.
    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// One half, always the same bytes for the same epoch.
    pub(crate) fn half(&self, half: Half) -> Option<KexInit<'_>> {
        let (first, second) = self.share.split_first_chunk()?;
        let bytes = match half {
            Half::First => first,
            Half::Second => second.first_chunk()?,
        };
        Some(KexInit { epoch: wire_epoch(self.epoch), half, bytes })
    }

    /// Takes the answer; the secrets are spent by the caller dropping `self` with the result.
    pub(crate) fn finish(&self, resp: &KexResp<'_>, secret: &EpochSecret) -> Result<EpochSecret, Violation> {
        let (ciphertext, public) = resp.bytes.split_first_chunk::<CIPHERTEXT_LEN>().ok_or(Violation)?;
        let public: [u8; 32] = *public.first_chunk().ok_or(Violation)?;
        let key = DecapsulationKey768::from_seed((*self.seed).into());
        let mut kem = key.decapsulate(&(*ciphertext).into());
        let exchanged = concatenate(&Zeroizing::new(kem.into()), &self.secret, public);
        kem.zeroize();
        let exchanged = exchanged?;
        Ok(secret.next(&self.share, resp.bytes, &exchanged))
    }
}

/// Display: the halves that came, and the answer once given.
pub(crate) struct Responder {
    epoch: u64,
    share: [u8; INIT_LEN],
    first: bool,
    second: bool,
    answer: Option<[u8; RESP_LEN]>,
}

/// What a half leads to.
pub(crate) enum Answer {
    /// The other half is missing.
    Wait,
    /// Both are there for the first time.
    New(EpochSecret),
    /// Both were there: say the same again.
    Repeat,
}

impl Responder {
    /// Waits for the share of epoch `epoch`.
    pub(crate) const fn new(epoch: u64) -> Self {
        Self { epoch, share: [0; INIT_LEN], first: false, second: false, answer: None }
    }

    /// Takes one half for its own epoch. A half that differs from the one before it is a violation.
    pub(crate) fn handle(
        &mut self,
        init: &KexInit<'_>,
        secret: &EpochSecret,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Result<Answer, RandomFailed>, Violation> {
        let (offset, have) = match init.half {
            Half::First => (0, &mut self.first),
            Half::Second => (HALF_LEN, &mut self.second),
        };
        let place = self.share.get_mut(offset..offset + HALF_LEN).ok_or(Violation)?;
        if *have {
            if !bool::from(place.ct_eq(init.bytes)) {
                return Err(Violation);
            }
        } else {
            place.copy_from_slice(init.bytes);
            *have = true;
        }
        match (self.first && self.second, &self.answer) {
            (false, _) => Ok(Ok(Answer::Wait)),
            // One answer for each pair of halves that is repeated, not two.
            (true, Some(_)) if init.half == Half::First => Ok(Ok(Answer::Wait)),
            (true, Some(_)) => Ok(Ok(Answer::Repeat)),
            (true, None) => self.answer(secret, rng),
        }
    }

    /// The answer, once given.
    pub(crate) fn resp(&self) -> Option<KexResp<'_>> {
        self.answer.as_ref().map(|bytes| KexResp { epoch: wire_epoch(self.epoch), bytes })
    }

    fn answer(
        &mut self,
        secret: &EpochSecret,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Result<Answer, RandomFailed>, Violation> {
        let (encapsulation_key, public) =
            self.share.split_first_chunk::<ENCAPSULATION_KEY_LEN>().ok_or(Violation)?;
        let public: [u8; 32] = *public.first_chunk().ok_or(Violation)?;
        // Refuses a key with coefficients beyond the modulus (FIPS 203 §7.2).
        let key = EncapsulationKey768::new(&(*encapsulation_key).into()).map_err(|_invalid| Violation)?;
        let (Ok(drawn), Ok(own)) = (random::bytes::<32>(rng), random::bytes::<32>(rng)) else {
            return Ok(Err(RandomFailed));
        };
        let (drawn, own) = (Zeroizing::new(drawn.into()), Zeroizing::new(own));
        let (ciphertext, mut kem) = key.encapsulate_deterministic(&drawn);
        let own = StaticSecret::from(*own);
        let exchanged = concatenate(&Zeroizing::new(kem.into()), &own, public);
        kem.zeroize();
        let exchanged = exchanged?;
        let mut answer = [0; RESP_LEN];
        for (to, from) in answer.iter_mut().zip(ciphertext.iter().chain(PublicKey::from(&own).as_bytes())) {
            *to = *from;
        }
        let next = secret.next(&self.share, &answer, &exchanged);
        self.answer = Some(answer);
        Ok(Ok(Answer::New(next)))
    }
}

/// Epoch numbers on the wire are mod 256.
pub(crate) fn wire_epoch(epoch: u64) -> u8 {
    u8::try_from(epoch % 256).unwrap_or(0)
}

/// `mlkem_ss ‖ x25519_ss`; a share of low order is a violation.
fn concatenate(
    kem: &[u8; 32],
    own: &StaticSecret,
    public: [u8; 32],
) -> Result<Zeroizing<[u8; 64]>, Violation> {
    let shared = own.diffie_hellman(&PublicKey::from(public));
    if !shared.was_contributory() {
        return Err(Violation);
    }
    let mut both = Zeroizing::new([0; 64]);
    for (to, from) in both.iter_mut().zip(kem.iter().chain(shared.as_bytes())) {
        *to = *from;
    }
    Ok(both)
}
