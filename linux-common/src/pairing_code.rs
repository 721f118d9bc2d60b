//! The code that the owner carries from a display to a camera: `scl1:host:port#BASE32` (docs/protocol.md §5).

use std::str::FromStr;

use sealcam_core::key::Fingerprint;
use sealcam_core::pairing::{PairSecret, SECRET_LEN};
use zeroize::Zeroizing;

use crate::host_port::HostPort;

const PREFIX: &str = "scl1:";
const FINGERPRINT_LEN: usize = 32;
const LEN: usize = FINGERPRINT_LEN + SECRET_LEN;
/// Characters that [`LEN`] bytes take, five bits each.
const TEXT_LEN: usize = (LEN * 8).div_ceil(5);
/// What is as long as this behind the prefix may hold a part of a secret.
const HIDDEN_FROM: usize = 16;
/// RFC 4648 §6: no 0, 1, 8 and 9, which look like letters.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Where a display is, the fingerprint of its key, and the secret of the window that is open there.
pub struct PairingCode {
    /// Where the display is.
    pub place: HostPort,
    /// The fingerprint of its key.
    pub fingerprint: Fingerprint,
    /// What lets one camera ask.
    pub secret: PairSecret,
}

impl PairingCode {
    /// The code as people copy it.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; LEN]);
        bytes[..FINGERPRINT_LEN].copy_from_slice(&self.fingerprint.0);
        bytes[FINGERPRINT_LEN..].copy_from_slice(self.secret.as_bytes());
        // With room for all from the start: a string that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(512));
        text.push_str(PREFIX);
        text.push_str(&self.place.to_string());
        text.push('#');
        encode(&bytes, &mut text);
        text
    }
}

impl FromStr for PairingCode {
    /// What is wrong: a sentence without its full stop.
    type Err = String;

    /// Parses a code as it was copied or typed: white space around it and small letters do no harm.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let rest = text.get(..PREFIX.len()).filter(|start| start.eq_ignore_ascii_case(PREFIX));
        let rest = rest.and_then(|_| text.get(PREFIX.len()..)).ok_or("a pairing code begins with scl1:")?;
        let (place, base32) = rest
            .rsplit_once('#')
            .ok_or("the part from the # on is missing (in a shell, put the code into quotes)")?;
        let place = place.parse()?;
        let bytes = decode(base32)?;
        let (fingerprint, secret) = bytes.split_at(FINGERPRINT_LEN);
        let wrong_len = |_| "the code has a wrong length".to_owned();
        Ok(Self {
            place,
            fingerprint: Fingerprint(fingerprint.try_into().map_err(wrong_len)?),
            secret: PairSecret::new(secret.try_into().map_err(wrong_len)?),
        })
    }
}

/// `text` without the pairing codes in it: for whatever repeats what somebody typed, who may have typed one in a wrong
/// place.
#[must_use]
pub fn without_codes(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`');
    let mut shown = String::with_capacity(text.len());
    for word in text.split_inclusive(is_end) {
        let start =
            word.as_bytes().windows(PREFIX.len()).position(|w| w.eq_ignore_ascii_case(PREFIX.as_bytes()));
        let (before, code) = word.split_at(start.map_or(word.len(), |start| start + PREFIX.len()));
        let end = code.len() - code.chars().next_back().filter(|c| is_end(*c)).map_or(0, char::len_utf8);
        let (code, after) = code.split_at(end);
        shown.push_str(before);
        shown.push_str(if code.len() < HIDDEN_FROM { code } else { "…" });
        shown.push_str(after);
    }
    shown
}

fn encode(bytes: &[u8; LEN], text: &mut String) {
    for place in 0..TEXT_LEN {
        let value = (0..5).fold(0, |value, bit| value << 1 | bit_of(bytes, place * 5 + bit));
        text.push(char::from(ALPHABET[usize::from(value)]));
    }
}

/// The bit at this place, the most significant one of the first byte being the first; zero behind the end.
fn bit_of(bytes: &[u8; LEN], place: usize) -> u8 {
    bytes.get(place / 8).map_or(0, |byte| byte >> (7 - place % 8) & 1)
}

fn decode(text: &str) -> Result<Zeroizing<[u8; LEN]>, String> {
    let count = text.chars().count();
    if let Some(bad) = text.chars().find(|c| value_of(*c).is_none()) {
        return Err(format!(
            "after the #, {bad:?} stands where only the letters A to Z and the digits 2 to 7 may stand"
        ));
    }
    if count != TEXT_LEN {
        let what = if count < TEXT_LEN { "some are missing" } else { "some are too many" };
        return Err(format!("after the #, the code has {count} characters instead of {TEXT_LEN}: {what}"));
    }
    let mut bytes = Zeroizing::new([0; LEN]);
    for (place, value) in text.chars().filter_map(value_of).enumerate() {
        for bit in (0..5).filter(|bit| value >> (4 - bit) & 1 == 1) {
            let at = place * 5 + bit;
            let byte = bytes.get_mut(at / 8).ok_or("the last character is none that a code ends with")?;
            *byte |= 0x80 >> (at % 8);
        }
    }
    Ok(bytes)
}

fn value_of(character: char) -> Option<u8> {
    let byte = u8::try_from(character).ok()?.to_ascii_uppercase();
    ALPHABET.iter().position(|known| *known == byte).and_then(|place| u8::try_from(place).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unprinted::assert_unprinted;

    fn code(place: &str) -> PairingCode {
        PairingCode {
            place: place.parse().unwrap(),
            fingerprint: Fingerprint(std::array::from_fn(|i| u8::try_from(i * 7 % 251).unwrap())),
            secret: PairSecret::new(std::array::from_fn(|i| u8::try_from(255 - i).unwrap())),
        }
    }

    fn problem(text: &str) -> String {
        text.parse::<PairingCode>().err().unwrap_or_else(|| panic!("{text} was taken"))
    }

    #[test]
    fn code_is_that_of_another_implementation_of_base32() {
        // python3 -c 'import base64; print(base64.b32encode(bytes(i*7%251 for i in range(32))
        //             + bytes(255-i for i in range(16))))'
        let text = code("192.168.1.20:5000").text();
        assert_eq!(
            &**text,
            concat!(
                "scl1:192.168.1.20:5000#AADQ4FI4EMVDCOB7IZGVIW3CNFYHO7UF",
                "RSJZVINIV63L3RGL2LM777X57T57V6PY673PL5HT6LY7A"
            )
        );
    }

    #[test]
    fn text_and_parsing_are_inverse_also_in_small_letters_and_with_white_space() {
        for place in ["192.168.1.20:5000", "[2001:db8::20]:7", "display.local:65535"] {
            let text = code(place).text();
            assert_eq!(text.rsplit('#').next().unwrap().len(), 77);
            for copied in [text.to_string(), format!("  {}\r\n", *text), text.to_lowercase()] {
                let parsed: PairingCode = copied.parse().unwrap();
                assert_eq!(parsed.place.to_string(), place);
                assert_eq!(parsed.fingerprint, code(place).fingerprint);
                assert_eq!(parsed.secret.as_bytes(), code(place).secret.as_bytes());
            }
        }
    }

    #[test]
    fn mistyped_codes_are_refused_with_what_is_wrong() {
        let text = code("10.0.0.1:5000").text();
        assert!(problem("").contains("begins with scl1:"));
        assert!(problem(&text[1..]).contains("begins with scl1:"));
        assert!(problem("scl1:10.0.0.1:5000").contains("quotes"));
        assert!(problem(&text[..text.len() - 1]).contains("76 characters instead of 77"));
        assert!(problem(&format!("{}A", *text)).contains("78 characters instead of 77"));
        assert!(problem(&text.replace('#', "#8")).contains("'8' stands where"));
        assert!(problem(&text.replace('#', "#é")).contains("'é' stands where"));
        assert!(problem(&text.replace(":5000", "")).contains("port"));
        let end = text.len() - 1;
        assert!(problem(&format!("{}Z", &text[..end])).contains("last character"));
    }

    #[test]
    fn codes_in_wrong_places_are_not_repeated_and_all_else_is() {
        let code = code("10.0.0.1:5000").text();
        for (text, shown) in [
            (
                format!("error: unrecognized subcommand '{}'\n\nUsage: …", *code),
                "error: unrecognized subcommand 'scl1:…'\n\nUsage: …",
            ),
            (format!("--replace={} and {}", *code, code.to_lowercase()), "--replace=scl1:… and scl1:…"),
            (code.replace('#', ""), "scl1:…"),
            (code.to_string(), "scl1:…"),
        ] {
            assert_eq!(without_codes(&text), shown);
        }
        for text in
            ["a pairing code begins with scl1:.", "'scl1:pi:7#…'\n", "scl1-camera AAAA porch", "", "é 'ü'"]
        {
            assert_eq!(without_codes(text), text);
        }
    }

    #[test]
    fn nothing_that_holds_a_secret_can_be_printed() {
        assert_unprinted!(PairingCode, PairSecret, sealcam_core::rsa::PrivateKey);
    }
}
