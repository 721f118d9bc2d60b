//! What was thrown away and why, as words for a log: counts alone would not tell an attack from a bad link.

use sealcam_core::discard::Discard;
use sealcam_core::stats::Stats;

/// The datagrams refused between two looks at the counters, by reason, the most frequent first: `812 with a wrong tag,
/// 3 seen before`. `None` if there were none.
#[must_use]
pub fn between(before: &Stats, now: &Stats) -> Option<String> {
    let mut reasons: Vec<(u64, Discard)> =
        now.discards().map(|(why, count)| (count - before.discarded(why), why)).collect();
    reasons.retain(|(count, _)| *count != 0);
    reasons.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let said: Vec<_> = reasons.iter().map(|(count, why)| format!("{count} {}", words(*why))).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn words(why: Discard) -> &'static str {
    match why {
        Discard::Malformed => "malformed",
        Discard::WrongAddress => "from another address than the display's",
        Discard::Mac1 => "from strangers who do not know the display's key",
        Discard::Cookie => "with a wrong or old cookie",
        Discard::KeyReplayed => "with a handshake seen before",
        Discard::Version => "with a version lower than could be",
        Discard::UnknownCamera => "of cameras that are not authorized",
        Discard::VerifyLimit => "naming a camera too often",
        Discard::Signature => "with a wrong signature",
        Discard::NoWindow => "wanting to be paired where no window is open",
        Discard::PairingMac => "with a wrong pairing code",
        Discard::HandshakeLimit => "with handshakes too soon after another",
        Discard::NoPlace => "of cameras that found all places taken",
        Discard::WeakShare => "with a weak key share",
        Discard::Unexpected => "that answer nothing asked",
        Discard::PinMismatch => "showing another key than the trusted one",
        Discard::Finished => "with a handshake that does not verify",
        Discard::UnknownCid => "of no session",
        Discard::UnknownEpoch => "of no live epoch",
        Discard::Expired => "beyond their keys' life",
        Discard::Replayed => "seen before",
        Discard::TooOld => "too old to tell whether seen before",
        Discard::Tag => "with a wrong tag",
        Discard::Violation => "breaking the protocol",
        Discard::Closing => "after the session's end",
        Discard::DuplicateChunk => "with a chunk that was there already",
        Discard::OldFrame => "of frames done with",
        Discard::FrameTooLarge => "of frames too large",
        Discard::ChunkMismatch => "that disagree with their frame",
        Discard::RandomFailed => "that could not be answered for want of randomness",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words_of_its_own() {
        let mut all: Vec<_> = Discard::ALL.iter().map(|why| words(*why)).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), Discard::ALL.len());
    }

    #[test]
    fn nothing_is_said_where_nothing_was_refused() {
        assert_eq!(between(&Stats::default(), &Stats::default()), None);
    }
}
