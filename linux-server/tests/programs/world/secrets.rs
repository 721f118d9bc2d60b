//! Secrets, and whether something holds a piece of one, in any form in which programs print bytes.

use std::collections::HashMap;

/// Bytes of a piece: so few that hardly anything of a secret can be told without one, and none comes about by chance.
const PIECE: usize = 8;

/// The numbers of an RSA private key, in order; the first three are public (RFC 8017, A.1.2).
const NUMBERS: [&str; 9] = ["version", "modulus", "exponent", "d", "p", "q", "dp", "dq", "qinv"];

/// All pieces of some secrets, and whose they are.
#[derive(Default)]
pub(crate) struct Secrets(HashMap<u64, String>);

impl Secrets {
    /// Adds a secret, from its first byte on and from its last.
    pub(crate) fn add(&mut self, name: &str, secret: &[u8]) {
        assert!(secret.len() >= PIECE, "{name} is too short to be looked for");
        let reversed: Vec<u8> = secret.iter().rev().copied().collect();
        for piece in secret.windows(PIECE).chain(reversed.windows(PIECE)) {
            self.0.insert(u64::from_be_bytes(*piece.first_chunk().unwrap()), name.to_owned());
        }
    }

    /// Adds the private numbers of a key in PKCS#8 PEM.
    pub(crate) fn add_key(&mut self, name: &str, pem: &[u8]) {
        let text = std::str::from_utf8(pem).unwrap();
        let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        // SEQUENCE { version, algorithm, OCTET STRING { SEQUENCE { numbers } } }
        let der = decoded(&base64, 6, base64_value);
        let wrapped = elements(elements(&der)[0]);
        let numbers = elements(elements(wrapped[2])[0]);
        assert_eq!(numbers.len(), NUMBERS.len(), "{name} is no RSA key");
        let is_public = 3;
        for (part, number) in NUMBERS.iter().zip(&numbers).skip(is_public) {
            self.add(&format!("{part} of {name}"), number);
        }
        // And the text as it stands in the file, from where it is secret: it may be printed as any bytes may.
        let public: usize = numbers[is_public].as_ptr().addr() - der.as_ptr().addr();
        self.add(&format!("the text of {name}"), &base64.as_bytes()[public.div_ceil(3) * 4..]);
    }

    /// Adds the secret in a pairing code, the last 16 of its 48 bytes (docs/protocol.md §5).
    pub(crate) fn add_code(&mut self, code: &str) {
        let (_, base32) = code.rsplit_once('#').unwrap();
        let bytes = decoded(base32, 5, base32_value);
        assert_eq!(bytes.len(), 48, "{code}");
        self.add("the secret of a pairing code", &bytes[32..]);
        self.add("the text of a pairing code", &base32.as_bytes()[(32 * 8_usize).div_ceil(5)..]);
    }

    /// Whose piece stands in `said`, and in which form.
    pub(crate) fn find(&self, said: &[u8]) -> Option<String> {
        let readings = [
            ("bytes", windows(said)),
            ("escaped bytes", windows(&unescaped(said))),
            ("a list of decimal numbers", listed(said, 10)),
            ("a list of hexadecimal numbers", listed(said, 16)),
            ("hexadecimal", digits(said, 4, hex_value, b" :,-_|\r\n\t")),
            ("base64", digits(said, 6, base64_value, b"\r\n\t ")),
            ("base32", digits(said, 5, base32_value, b"\r\n\t -")),
        ];
        readings.into_iter().find_map(|(form, pieces)| {
            let found = pieces.iter().find_map(|piece| self.0.get(piece))?;
            Some(format!("{found}, as {form}"))
        })
    }
}

fn windows(bytes: &[u8]) -> Vec<u64> {
    bytes.windows(PIECE).map(|piece| u64::from_be_bytes(*piece.first_chunk().unwrap())).collect()
}

/// What digits of so many bits each stand for, at every place where a byte may begin; any other character but `between`
/// ends a row of them.
fn digits(said: &[u8], bits: u32, value: fn(u8) -> Option<u8>, between: &[u8]) -> Vec<u64> {
    let (mut row, mut len, mut pieces) = (0_u128, 0, Vec::new());
    for (at, byte) in said.iter().enumerate() {
        // The 0 of 0x, and the x, are between two numbers as well.
        let is_prefix = bits == 4 && (*byte == b'x' || *byte == b'\\' || said.get(at + 1) == Some(&b'x'));
        match value(*byte).filter(|_| !is_prefix) {
            Some(value) => {
                (row, len) = (row << bits | u128::from(value), len + bits);
                let whole = (0..bits).filter(|shift| len >= 64 + shift);
                pieces.extend(whole.map(|shift| (row >> shift) as u64));
            }
            None if is_prefix || between.contains(byte) => {}
            None => len = 0,
        }
    }
    pieces
}

/// Bytes that stand as numbers, as `{:?}` and `{:x?}` print a slice, with anything but letters and digits between them.
fn listed(said: &[u8], radix: u32) -> Vec<u64> {
    let (mut row, mut pieces) = (Vec::new(), Vec::new());
    for word in said.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let number = std::str::from_utf8(word).ok().and_then(|word| u8::from_str_radix(word, radix).ok());
        match number.filter(|_| word.len() <= 3) {
            Some(number) => row.push(number),
            None => row.clear(),
        }
        pieces.extend(row.last_chunk().map(|piece| u64::from_be_bytes(*piece)));
    }
    pieces
}

/// Without the escapes of `escape_ascii` and of `{:?}` of a string.
fn unescaped(said: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), said);
    while let Some((byte, tail)) = rest.split_first() {
        let hex = |at: usize| tail.get(at).copied().and_then(hex_value);
        let (escaped, len) = match (byte, tail.first(), hex(1), hex(2)) {
            (b'\\', Some(b'x'), Some(high), Some(low)) => (high << 4 | low, 4),
            (b'\\', Some(b'n'), ..) => (b'\n', 2),
            (b'\\', Some(b'r'), ..) => (b'\r', 2),
            (b'\\', Some(b't'), ..) => (b'\t', 2),
            (b'\\', Some(b'0'), ..) => (0, 2),
            (b'\\', Some(quoted @ (b'\\' | b'"' | b'\'')), ..) => (*quoted, 2),
            _ => (*byte, 1),
        };
        bytes.push(escaped);
        rest = &rest[len..];
    }
    bytes
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Of both alphabets.
fn base64_value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

fn base32_value(digit: u8) -> Option<u8> {
    match digit.to_ascii_uppercase() {
        letter @ b'A'..=b'Z' => Some(letter - b'A'),
        b'2'..=b'7' => Some(digit - b'2' + 26),
        _ => None,
    }
}

/// The whole bytes that these digits stand for.
fn decoded(text: &str, bits: u32, value: fn(u8) -> Option<u8>) -> Vec<u8> {
    let (mut row, mut len, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text.bytes().filter_map(value) {
        (row, len) = (row << bits | u32::from(digit), len + bits);
        if len >= 8 {
            len -= 8;
            bytes.push((row >> len) as u8);
        }
    }
    bytes
}

/// The contents of the DER elements that follow each other here.
fn elements(mut der: &[u8]) -> Vec<&[u8]> {
    let mut contents = Vec::new();
    while let [_, len, rest @ ..] = der {
        // Up to 127 bytes as they are, else in so many bytes.
        let more = usize::from(len & 0x7F) * usize::from(len >> 7);
        let long = rest[..more].iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        let len = if more > 0 { long } else { usize::from(*len) };
        contents.push(&rest[more..more + len]);
        der = &rest[more + len..];
    }
    contents
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::world::{CAMERA_KEY, Random};

    const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    fn encoded(bytes: &[u8], bits: usize, alphabet: &[u8]) -> String {
        let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
        let digit = |at: usize| (0..bits).fold(0, |digit, i| digit << 1 | usize::from(bit(at * bits + i)));
        (0..(bytes.len() * 8).div_ceil(bits)).map(|at| char::from(alphabet[digit(at)])).collect()
    }

    fn hex(bytes: &[u8], between: &str) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
    }

    /// Every form in which these bytes might be printed.
    fn printed(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut words = String::new();
        for chunk in bytes.chunks(8) {
            let _ = write!(words, " {}", hex(chunk, ""));
        }
        let wrapped: Vec<String> = encoded(bytes, 6, BASE64)
            .as_bytes()
            .chunks(7)
            .map(|line| String::from_utf8_lossy(line).into())
            .collect();
        let texts = [
            format!("{bytes:?}"),
            format!("{bytes:#?}"),
            format!("{bytes:02x?}"),
            format!("{bytes:x?}"),
            format!("{bytes:#04X?}"),
            hex(bytes, ""),
            hex(bytes, "").to_uppercase(),
            hex(bytes, ":"),
            hex(bytes, " "),
            format!("0x{}", hex(bytes, "")),
            hex(bytes, "\\x"),
            words,
            encoded(bytes, 6, BASE64),
            encoded(bytes, 6, BASE64).replace('+', "-").replace('/', "_"),
            wrapped.join("\r\n"),
            encoded(bytes, 5, BASE32),
            encoded(bytes, 5, BASE32).to_lowercase(),
            bytes.escape_ascii().to_string(),
        ];
        texts.into_iter().map(String::into_bytes).chain([bytes.to_vec()]).collect()
    }

    #[test]
    fn eight_bytes_of_a_secret_are_found_in_every_form_and_wherever_they_stand() {
        let mut random = Random::seeded();
        for _ in 0..20 {
            let secret = random.bytes(40);
            let mut secrets = Secrets::default();
            secrets.add("a secret", &secret);
            for before in 0..6 {
                let from = random.below(40 - PIECE);
                let mut piece = secret[from..from + PIECE].to_vec();
                if random.below(2) == 0 {
                    piece.reverse();
                }
                let around = [&random.bytes(before)[..], &piece, &random.bytes(3)].concat();
                for text in printed(&around) {
                    let said = [b"Listening on 127.0.0.1:5000: ", &text[..], b" and so on"].concat();
                    let found = secrets.find(&said);
                    assert!(found.is_some(), "{piece:02x?} in {}", said.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn nothing_is_found_where_there_is_less_or_something_else() {
        let mut random = Random::seeded();
        let secret = random.bytes(40);
        let mut secrets = Secrets::default();
        secrets.add("a secret", &secret);
        secrets.add_key("a key", CAMERA_KEY);
        for text in printed(&[&random.bytes(5), &secret[..7], &random.bytes(5)].concat()) {
            assert_eq!(secrets.find(&text), None);
        }
        assert_eq!(secrets.find(&random.bytes(100_000)), None);
    }

    #[test]
    fn private_numbers_of_a_key_are_secrets_and_the_modulus_is_none() {
        let mut secrets = Secrets::default();
        secrets.add_key("the camera", CAMERA_KEY);
        // 384 bytes of d, 192 of each other one, and four characters for three of them; in both directions.
        let pieces = secrets.0.len() / 2;
        assert!((2 * 1344..3 * 1344).contains(&pieces), "{pieces}");
        assert!(secrets.find(CAMERA_KEY).unwrap().contains("of the camera, as "));
        assert!(
            secrets.find(format!("{CAMERA_KEY:?}").as_bytes()).unwrap().starts_with("the text of the camera")
        );
        let lines: Vec<&[u8]> = CAMERA_KEY.split(|byte| *byte == b'\n').collect();
        // The modulus takes the second to the ninth line.
        assert_eq!(secrets.find(&lines[..9].join(&b'\n')), None);
        assert!(secrets.find(lines[12]).is_some());
    }

    #[test]
    fn the_secret_of_a_code_is_one_and_the_fingerprint_in_it_is_none() {
        let code =
            "scl1:127.0.0.1:9#AADQ4FI4EMVDCOB7IZGVIW3CNFYHO7UFRSJZVINIV63L3RGL2LM777X57T57V6PY673PL5HT6LY7A";
        let mut secrets = Secrets::default();
        secrets.add_code(code);
        assert!(secrets.find(code.as_bytes()).is_some());
        assert!(secrets.find(b"[255, 254, 253, 252, 251, 250, 249, 248]").is_some());
        assert_eq!(secrets.find(&code.as_bytes()[..68]), None);
    }
}
