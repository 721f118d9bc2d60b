//! CLOSE: the end of a session (docs/protocol.md §9): `0x0C ‖ reason u16`.

use super::read::{Reader, Writer};

/// The type byte.
pub(crate) const TYPE: u8 = 0x0C;
/// The whole message.
pub(crate) const LEN: usize = 3;

/// Why a session is closed, as the other end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The work is done.
    Normal,
    /// The other end broke the protocol.
    Protocol,
    /// Keys must be replaced by a new handshake.
    Rekey,
    /// The display no longer authorizes this camera.
    Revoked,
    /// The program is stopping.
    GoingAway,
    /// Another session of the same camera took its place.
    Superseded,
}

impl CloseReason {
    const ALL: [Self; 6] =
        [Self::Normal, Self::Protocol, Self::Rekey, Self::Revoked, Self::GoingAway, Self::Superseded];

    const fn code(self) -> u16 {
        match self {
            Self::Normal => 0,
            Self::Protocol => 1,
            Self::Rekey => 2,
            Self::Revoked => 3,
            Self::GoingAway => 4,
            Self::Superseded => 5,
        }
    }

    /// Parses the body that follows the type byte.
    pub(crate) fn parse(body: &mut Reader<'_>) -> Option<Self> {
        let code = body.u16()?;
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// Writes the whole message.
    pub(crate) fn emit(self, out: &mut Writer<'_>) -> Option<()> {
        out.u8(TYPE)?;
        out.u16(self.code())
    }
}
