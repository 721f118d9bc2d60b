//! What `sealcam-server pair` and the display say to each other: a line each, over a socket in the state directory that
//! only this user (and root) can use, and where root acts on another user's directory, that user. Each end asks the kernel
//! who the other is, for whoever poses as the display gets the camera. Who says what when is [`super::desk`]'s and [`super`]'s.
//!
//! ```text
//! command                            display
//! pair                      ─▶
//!                           ◀─       open scl1:[::]:5000#…      the window's code, with the address it listens on
//!                           ◀─       busy                       another command is at it
//!                           ◀─       unable WHY
//!                           ◀─       away 10.0.0.7:4711 no-window | wrong-secret
//!                           ◀─       asked 10.0.0.7:4711 123456 scl1-camera … camera
//! accept                    ─▶                                  the camera stands in authorized_cameras by now
//! refuse                    ─▶
//!                           ◀─       ended paired | unconfirmed | expired | refused | unanswered | gone WHY
//! ```
//! The end of the connection means `refuse`.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::Uid;
use sealcam_core::pairing::TurnedAway;
use sealcam_linux::pairing_code::PairingCode;
use sealcam_linux::trust::Camera;
use zeroize::Zeroizing;

/// The socket's name in the state directory.
pub(crate) const SOCKET: &str = "pair.sock";

/// More than the longest line takes, which is `asked`.
const LINE_MAX: usize = 2048;

/// What the command wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Open a window.
    Pair,
    /// The owner accepts the camera that asks; it is on the list.
    Accept,
    /// The owner wants no more of it.
    Refuse,
}

/// What the display answers.
pub(crate) enum Reply {
    Open(PairingCode),
    Busy,
    Unable(String),
    Away {
        from: SocketAddr,
        why: TurnedAway,
    },
    /// The camera's name means nothing: it has none yet.
    Asked {
        from: SocketAddr,
        digits: String,
        camera: Box<Camera>,
    },
    Ended(End),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Paired,
    Unconfirmed,
    Expired,
    Refused,
    Unanswered,
    Gone(String),
}

impl Request {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Pair, "pair"), (Self::Accept, "accept"), (Self::Refuse, "refuse")];

    pub(crate) fn parse(line: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, word)| *word == line).map(|(request, _)| request)
    }

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(request, _)| *request == self).map_or("", |(_, word)| word)
    }
}

impl Reply {
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "open" => Self::Open(rest.parse().ok()?),
            "busy" => Self::Busy,
            "unable" => Self::Unable(rest.to_owned()),
            "away" => {
                let (from, why) = rest.split_once(' ')?;
                let why = match why {
                    "no-window" => TurnedAway::NoWindow,
                    "wrong-secret" => TurnedAway::WrongSecret,
                    _ => return None,
                };
                Self::Away { from: from.parse().ok()?, why }
            }
            "asked" => {
                let (from, rest) = rest.split_once(' ')?;
                let (digits, camera) = rest.split_once(' ')?;
                let camera = Box::new(camera.parse().ok()?);
                Self::Asked { from: from.parse().ok()?, digits: digits.to_owned(), camera }
            }
            "ended" => Self::Ended(End::parse(rest)?),
            _ => return None,
        })
    }

    pub(crate) fn line(&self) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Open(code) => {
                let mut line = Zeroizing::new(String::with_capacity(512));
                line.push_str("open ");
                line.push_str(&code.text());
                return line;
            }
            Self::Busy => "busy".to_owned(),
            Self::Unable(why) => format!("unable {}", one_line(why)),
            Self::Away { from, why: TurnedAway::NoWindow } => format!("away {from} no-window"),
            Self::Away { from, why: TurnedAway::WrongSecret } => format!("away {from} wrong-secret"),
            Self::Asked { from, digits, camera } => format!("asked {from} {digits} {camera}"),
            Self::Ended(end) => format!("ended {}", end.words()),
        })
    }
}

impl End {
    fn parse(words: &str) -> Option<Self> {
        Some(match words.split_once(' ').unwrap_or((words, "")) {
            ("paired", "") => Self::Paired,
            ("unconfirmed", "") => Self::Unconfirmed,
            ("expired", "") => Self::Expired,
            ("refused", "") => Self::Refused,
            ("unanswered", "") => Self::Unanswered,
            ("gone", why) => Self::Gone(why.to_owned()),
            _ => return None,
        })
    }

    fn words(&self) -> String {
        match self {
            Self::Paired => "paired".to_owned(),
            Self::Unconfirmed => "unconfirmed".to_owned(),
            Self::Expired => "expired".to_owned(),
            Self::Refused => "refused".to_owned(),
            Self::Unanswered => "unanswered".to_owned(),
            Self::Gone(why) => format!("gone {}", one_line(why)),
        }
    }
}

fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ").chars().take(LINE_MAX / 8).collect()
}

/// Whether this user may speak for the state directory of `owner`: it could as well write there itself.
pub(crate) fn is_ours(peer: Uid, owner: Uid) -> bool {
    peer.is_root() || peer == Uid::effective() || peer == owner
}

/// A connection, line by line. Nothing here waits.
pub(crate) struct Lines {
    stream: UnixStream,
    /// What has come of the next lines; never grown, for it may hold a secret.
    inbox: Zeroizing<Vec<u8>>,
    ended: bool,
}

impl Lines {
    /// # Errors
    /// The kernel's, none of which is expected.
    pub(crate) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, inbox: Zeroizing::new(Vec::with_capacity(LINE_MAX)), ended: false })
    }

    /// Who is at the other end.
    ///
    /// # Errors
    /// The kernel's, none of which is expected.
    pub(crate) fn peer(&self) -> io::Result<Uid> {
        Ok(Uid::from_raw(getsockopt(&self.stream, PeerCredentials)?.uid()))
    }

    /// The next whole line that has come.
    pub(crate) fn take(&mut self) -> Option<Zeroizing<String>> {
        self.fill();
        let end = self.inbox.iter().position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(&self.inbox[..end]).map(|line| Zeroizing::new(line.to_owned()));
        let rest = end + 1..self.inbox.len();
        let left = rest.len();
        self.inbox.copy_within(rest, 0);
        self.inbox.truncate(left);
        // What is no text is no line of ours either.
        Some(line.unwrap_or_default())
    }

    /// Whether nothing will come any more, once [`Lines::take`] has nothing.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Sends a line. Whoever does not read what it is told is not waited for.
    pub(crate) fn say(&mut self, line: &str) {
        let mut whole = Zeroizing::new(String::with_capacity(line.len() + 1));
        whole.push_str(line);
        whole.push('\n');
        match self.stream.write_all(whole.as_bytes()) {
            // What it said before it went is still to be read, and then the end.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => self.ended = true,
            _ => {}
        }
    }

    fn fill(&mut self) {
        let mut piece = Zeroizing::new([0; LINE_MAX]);
        while !self.ended {
            let room = LINE_MAX - self.inbox.len();
            match self.stream.read(&mut piece[..room]) {
                // Nothing more comes, or no line of ours is so long.
                Ok(0) => self.ended = !self.inbox.contains(&b'\n') || room > 0,
                Ok(read) => self.inbox.extend_from_slice(&piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = error.kind() != io::ErrorKind::WouldBlock;
                    return;
                }
            }
            if room == 0 {
                return;
            }
        }
    }
}

impl AsFd for Lines {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use sealcam_core::key::{Fingerprint, MODULUS_LEN, Modulus};
    use sealcam_core::pairing::PairSecret;

    use super::*;
    use crate::unprinted::assert_unprinted;

    fn pair() -> (Lines, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Lines::new(ours).unwrap(), theirs)
    }

    #[test]
    fn nothing_that_holds_a_code_or_a_key_can_be_printed() {
        assert_unprinted!(Reply, Lines, crate::pair::desk::Desk, crate::pair::alone::Alone<'_>);
        assert_unprinted!(crate::key_worker::KeyWorker);
    }

    #[test]
    fn every_reply_and_request_is_parsed_as_it_was_said() {
        let from = "[2001:db8::7]:4711".parse().unwrap();
        let mut modulus = [0x11; MODULUS_LEN];
        modulus[0] = 0x80;
        let modulus = Modulus::new(&modulus).unwrap();
        let camera = Box::new(Camera { modulus, name: "camera".parse().unwrap() });
        let code = PairingCode {
            place: "[::]:5000".parse().unwrap(),
            fingerprint: Fingerprint([7; 32]),
            secret: PairSecret::new([9; 16]),
        };
        let replies = [
            Reply::Open(code),
            Reply::Busy,
            Reply::Unable("no\nway".to_owned()),
            Reply::Away { from, why: TurnedAway::NoWindow },
            Reply::Away { from, why: TurnedAway::WrongSecret },
            Reply::Asked { from, digits: "000042".to_owned(), camera },
            Reply::Ended(End::Paired),
            Reply::Ended(End::Unconfirmed),
            Reply::Ended(End::Expired),
            Reply::Ended(End::Refused),
            Reply::Ended(End::Unanswered),
            Reply::Ended(End::Gone("nothing has come from it for 5 s".to_owned())),
        ];
        for reply in replies {
            let line = reply.line();
            assert!(line.len() < LINE_MAX && !line.contains('\n'));
            assert_eq!(*Reply::parse(&line).unwrap().line(), *line);
        }
        for (request, word) in Request::ALL {
            assert_eq!((Request::parse(word), request.word()), (Some(request), word));
        }
        for nonsense in
            ["", "pair ", "ended", "ended well", "asked 1.2.3.4:5 1", "away here no-window", "open x"]
        {
            assert!(Reply::parse(nonsense).is_none() && Request::parse(nonsense).is_none(), "{nonsense}");
        }
    }

    #[test]
    fn lines_come_whole_however_they_were_written() {
        let (mut lines, mut peer) = pair();
        assert_eq!(lines.peer().unwrap(), Uid::effective());
        assert!(lines.take().is_none() && !lines.has_ended());
        peer.write_all(b"pa").unwrap();
        assert!(lines.take().is_none());
        peer.write_all(b"ir\naccept\nref").unwrap();
        assert_eq!(lines.take().as_deref().map(String::as_str), Some("pair"));
        assert_eq!(lines.take().as_deref().map(String::as_str), Some("accept"));
        assert!(lines.take().is_none() && !lines.has_ended());
        drop(peer);
        assert!(lines.take().is_none() && lines.has_ended());
    }

    #[test]
    fn endless_line_ends_the_connection() {
        let (mut lines, mut peer) = pair();
        peer.write_all(&[b'x'; LINE_MAX + 1]).unwrap();
        assert!(lines.take().is_none() && lines.has_ended());
    }

    #[test]
    fn full_inbox_of_whole_lines_is_worked_off() {
        let (mut lines, mut peer) = pair();
        let many = "accept\n".repeat(LINE_MAX);
        peer.set_nonblocking(true).unwrap();
        let written = peer.write(many.as_bytes()).unwrap();
        let taken = std::iter::from_fn(|| lines.take()).count();
        assert_eq!(taken, written / "accept\n".len());
        assert!(!lines.has_ended());
    }

    #[test]
    fn last_words_of_one_who_has_gone_are_read() {
        let (mut lines, mut peer) = pair();
        peer.write_all(b"busy\n").unwrap();
        drop(peer);
        lines.say("pair");
        assert_eq!(lines.take().as_deref().map(String::as_str), Some("busy"));
        assert!(lines.take().is_none() && lines.has_ended());
    }

    #[test]
    fn who_does_not_read_is_not_waited_for() {
        let (mut lines, _peer) = pair();
        let line = "x".repeat(1000);
        for _ in 0..10_000 {
            if lines.has_ended() {
                return;
            }
            lines.say(&line);
        }
        panic!("it never gave up");
    }
}
