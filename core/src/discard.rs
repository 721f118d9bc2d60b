//! Why a datagram was thrown away. Not an alarm: on UDP hostile input is the normal case.
//!
//! A reason is counted in [`crate::stats`] and never told to anyone on the network (docs/protocol.md §12).

macro_rules! discards {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Why a datagram changed nothing but a counter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Discard {
            $($(#[$doc])* $name,)+
        }

        impl Discard {
            /// Every reason, in the order of their counters.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

discards! {
    /// Not a length or first byte that this side takes, or the fields make no sense.
    Malformed,
    /// It does not come from the display's address.
    WrongAddress,
    /// `mac1` is wrong: the sender does not know the display's fingerprint.
    Mac1,
    /// The cookie is wrong, for another address, or too old.
    Cookie,
    /// This very KEY was taken before and its ACCEPT is gone.
    KeyReplayed,
    /// KEY offers a better version than the one it uses.
    Version,
    /// The camera is not authorized.
    UnknownCamera,
    /// Too many KEYs name this camera.
    VerifyLimit,
    /// The signature is wrong.
    Signature,
    /// Pairing is asked for, and no window is open.
    NoWindow,
    /// The pairing MAC is wrong: the sender does not know the window's secret.
    PairingMac,
    /// This camera starts sessions too often, or its last KEY is still being opened.
    HandshakeLimit,
    /// All places are taken by other cameras.
    NoPlace,
    /// An X25519 share of low order.
    WeakShare,
    /// No handshake is under way that it answers.
    Unexpected,
    /// A COOKIE shows another key than the pinned one.
    PinMismatch,
    /// `finished` is wrong, or ACCEPT is for another attempt.
    Finished,
    /// No session has this CID.
    UnknownCid,
    /// No live epoch has this KID.
    UnknownEpoch,
    /// The counter is beyond its limit, or the epoch is too old.
    Expired,
    /// The counter was taken before.
    Replayed,
    /// The counter is older than the replay window.
    TooOld,
    /// The tag is wrong.
    Tag,
    /// Authentic, but breaks the protocol: the session is being closed.
    Violation,
    /// The session, or the display, is being closed.
    Closing,
    /// A chunk that is there already.
    DuplicateChunk,
    /// A chunk of a frame that is done, or that has no place beside newer ones.
    OldFrame,
    /// A chunk of a frame over the limit that CONFIG announced.
    FrameTooLarge,
    /// A chunk that disagrees with its frame.
    ChunkMismatch,
    /// The source of randomness failed, so nothing could be answered.
    RandomFailed,
}
