//! Private keys as text: PKCS#8 in PEM, as OpenSSL reads and writes it (RFC 5958, RFC 7468).
//!
//! Neither passphrases nor the older `RSA PRIVATE KEY` form; `openssl pkey -in OLD -out NEW` turns both into
//! this one. Nothing here knows about files.

use alloc::{vec, vec::Vec};
use core::fmt;

use embedded_io::{Error, ErrorKind, Read, Write};
use rsa::{
    RsaPrivateKey,
    pkcs1::{self, ALGORITHM_OID},
    pkcs8::{
        EncodePrivateKey, LineEnding, PrivateKeyInfoRef,
        der::{Decode, pem},
    },
};
use zeroize::Zeroizing;

use super::PrivateKey;
use crate::key::{KeyError, MODULUS_LEN};

/// Most bytes that a key's text may have; an RSA-3072 key takes about 2500.
pub const PEM_MAX: usize = 8192;

/// Why a private key was not read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PemError {
    /// Reading or writing failed.
    Io(ErrorKind),
    /// More than [`PEM_MAX`] bytes.
    TooLong,
    /// No PEM text, or not well-formed.
    NotPem,
    /// Protected by a passphrase.
    Encrypted,
    /// PEM text of something else than a private key in PKCS#8, or not well-formed inside.
    NotPkcs8,
    /// A private key of another kind than RSA (or of RSA restricted to one scheme).
    NotRsa,
    /// The modulus doesn't have exactly 3072 bits.
    WrongSize,
    /// The public exponent isn't 65537.
    WrongExponent,
    /// The numbers don't make an RSA key of two primes.
    Inconsistent,
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Io(kind) => return write!(f, "reading or writing the key failed: {kind}"),
            Self::TooLong => "more than 8 KiB, so not a private key",
            Self::NotPem => "not PEM text (-----BEGIN PRIVATE KEY-----), or damaged",
            Self::Encrypted => "protected by a passphrase, which nobody could type here",
            Self::NotPkcs8 => {
                "PEM text, but not of a private key in PKCS#8 form (-----BEGIN PRIVATE KEY-----)"
            }
            Self::NotRsa => "a private key, but not an RSA key for any scheme",
            Self::WrongSize => "an RSA key, but not of exactly 3072 bits",
            Self::WrongExponent => "an RSA key, but its public exponent is not 65537",
            Self::Inconsistent => "an RSA key whose numbers do not fit together: damaged",
        })
    }
}

impl core::error::Error for PemError {}

impl PrivateKey {
    /// Reads a key from PKCS#8 PEM text, to the end of `reader`.
    ///
    /// # Errors
    /// [`PemError`] by cause; nothing of the text stays in memory.
    pub fn read_pem(reader: impl Read) -> Result<Self, PemError> {
        let text = read_all(reader)?;
        // Base64 shrinks, so what decodes fits; a document that doesn't is refused by length.
        let mut der = Zeroizing::new(vec![0; PEM_MAX]);
        let (label, der) = pem::decode(&text, &mut der).map_err(|error| match error {
            // The older form of encryption is told by headers, which this grammar has not.
            pem::Error::HeaderDisallowed => PemError::Encrypted,
            _ => PemError::NotPem,
        })?;
        match label {
            "PRIVATE KEY" => Self::from_pkcs8(der),
            "ENCRYPTED PRIVATE KEY" => Err(PemError::Encrypted),
            _ => Err(PemError::NotPkcs8),
        }
    }

    /// Writes the key as PKCS#8 PEM text, lines ended by LF, and flushes.
    ///
    /// # Errors
    /// [`PemError::Io`]; a part may have been written.
    pub fn write_pem(&self, mut writer: impl Write) -> Result<(), PemError> {
        let text = self.key.to_pkcs8_pem(LineEnding::LF).map_err(|_| PemError::Inconsistent)?;
        writer.write_all(text.as_bytes()).map_err(|error| PemError::Io(error.kind()))?;
        writer.flush().map_err(|error| PemError::Io(error.kind()))
    }

    /// Looks at size and exponent before the `rsa` crate does, which has one error for everything.
    fn from_pkcs8(der: &[u8]) -> Result<Self, PemError> {
        let outer = PrivateKeyInfoRef::from_der(der).map_err(|_| PemError::NotPkcs8)?;
        if outer.algorithm.oid != ALGORITHM_OID {
            return Err(PemError::NotRsa);
        }
        let numbers = pkcs1::RsaPrivateKeyRef::from_der(outer.private_key.as_bytes())
            .map_err(|_| PemError::NotPkcs8)?;
        let modulus = numbers.modulus.as_bytes();
        if modulus.len() != MODULUS_LEN || modulus.first().is_none_or(|byte| byte & 0x80 == 0) {
            return Err(PemError::WrongSize);
        }
        if numbers.public_exponent.as_bytes() != [1, 0, 1] {
            return Err(PemError::WrongExponent);
        }
        let key = RsaPrivateKey::try_from(numbers).map_err(|_| PemError::Inconsistent)?;
        Self::from_valid(key).map_err(|_: KeyError| PemError::Inconsistent)
    }
}

fn read_all(mut reader: impl Read) -> Result<Zeroizing<Vec<u8>>, PemError> {
    // One byte more than allowed, so that a full buffer means too long; never grown, which would leave a copy.
    let mut text = Zeroizing::new(vec![0; PEM_MAX + 1]);
    let mut len: usize = 0;
    loop {
        let space = text.get_mut(len..).filter(|space| !space.is_empty()).ok_or(PemError::TooLong)?;
        match reader.read(space) {
            Ok(0) => break,
            Ok(read) => len = len.saturating_add(read),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(PemError::Io(error.kind())),
        }
    }
    text.truncate(len);
    Ok(text)
}
