//! The display's end of a conversation with `sealcam-server pair`: a socket in the state directory, and at most one
//! owner at it. Speaks to the core; what is said, and how, is [`super::talk`]'s.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, socket};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::Uid;
use sealcam_core::output::Event;
use sealcam_core::pairing::{NotAccepted, PairingEnd, PairingNotOpened};
use sealcam_core::rsa::SoftwareRsa;
use sealcam_core::server::Server;
use sealcam_core::time::Instant;
use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::host_port::HostPort;
use sealcam_linux::pairing_code::PairingCode;
use sealcam_linux::random::OsRng;
use sealcam_linux::state::{State, inode};
use sealcam_linux::trust::{AuthorizedCameras, Camera, Name, cameras};

use super::talk::{self, End, Lines, Reply, Request, SOCKET};
use crate::report;

/// Where the owner's command finds the display, and the command that is there.
pub(crate) struct Desk {
    door: Option<Door>,
    owner: Option<Lines>,
}

/// What came of opening the door.
pub(crate) enum Opened {
    Open(Desk),
    /// A display that runs has it.
    InUse,
    /// Why it cannot be.
    Failed(Failure),
}

/// The socket; its file goes with it.
struct Door {
    listener: UnixListener,
    path: PathBuf,
    /// The file as it was made: another one of its name is another display's.
    made: Option<(u64, u64)>,
    /// Whose the state directory is.
    owner: Uid,
}

impl Desk {
    /// Opens the door, in the place of one that a dead display has left.
    pub(crate) fn open(state: &State) -> Opened {
        match Door::open(state) {
            Ok(Some(door)) => Opened::Open(Self { door: Some(door), owner: None }),
            Ok(None) => Opened::InUse,
            Err(failure) => Opened::Failed(failure),
        }
    }

    /// One that nobody finds.
    pub(crate) const fn closed() -> Self {
        Self { door: None, owner: None }
    }

    /// Puts an owner there who needs no door.
    pub(crate) fn seat(&mut self, owner: Lines) {
        self.owner = Some(owner);
    }

    /// What to wait for.
    pub(crate) fn fds(&self) -> [Option<BorrowedFd<'_>>; 2] {
        [self.door.as_ref().map(|door| door.listener.as_fd()), self.owner.as_ref().map(Lines::as_fd)]
    }

    /// The next thing that the owner wants. After each, what it led to must be told ([`Desk::event`]) before the next
    /// is done: it may be another owner's.
    pub(crate) fn listen(&mut self) -> Option<Request> {
        loop {
            if let Some(owner) = &mut self.owner {
                while let Some(line) = owner.take() {
                    match Request::parse(&line) {
                        Some(request) => return Some(request),
                        None => owner.say(&Reply::Unable("that was no request".to_owned()).line()),
                    }
                }
                if owner.has_ended() {
                    self.owner = None;
                    return Some(Request::Refuse);
                }
            }
            if !self.let_in() {
                return None;
            }
        }
    }

    /// Does what the owner wants. For `accept`, `list` must be what is on the disk now.
    pub(crate) fn act<const CAMERAS: usize>(
        &mut self,
        now: Instant,
        request: Request,
        link: &mut Server<'_, OsRng, SoftwareRsa<OsRng>, CAMERAS>,
        (list, listen): (&AuthorizedCameras, SocketAddr),
    ) {
        match request {
            Request::Pair => {
                let reply = match link.open_pairing(now) {
                    Ok(secret) => {
                        let (place, fingerprint) = (HostPort::from(listen), link.fingerprint());
                        Reply::Open(PairingCode { place, fingerprint, secret })
                    }
                    Err(PairingNotOpened::Busy) => Reply::Busy,
                    Err(PairingNotOpened::Closing) => Reply::Unable("the display is stopping".to_owned()),
                    Err(PairingNotOpened::RandomFailed) => {
                        Reply::Unable("the system's source of randomness failed".to_owned())
                    }
                };
                self.reply(&reply);
            }
            Request::Accept => {
                let listed =
                    link.pairing_camera().is_some_and(|camera| list.find(camera.fingerprint()).is_some());
                let why = match listed.then(|| link.accept_pairing(now)) {
                    None => format!("the camera does not stand in {}", cameras::FILE),
                    Some(Ok(_)) => return,
                    Some(Err(NotAccepted::NobodyAsks)) => "the camera asks no more".to_owned(),
                    Some(Err(NotAccepted::ListFull)) => {
                        "the display knows as many cameras as it can".to_owned()
                    }
                };
                self.reply(&Reply::Unable(why));
            }
            Request::Refuse => link.close_pairing(now),
        }
    }

    /// Passes an event on to the owner, if it is of interest there.
    pub(crate) fn event<const CAMERAS: usize>(
        &mut self,
        event: &Event,
        link: &Server<'_, OsRng, SoftwareRsa<OsRng>, CAMERAS>,
    ) {
        let reply = match event {
            Event::PairingAsked { from, digits, .. } => {
                let (Some(modulus), Ok(name)) = (link.pairing_camera(), "camera".parse::<Name>()) else {
                    return;
                };
                let camera = Box::new(Camera { modulus: *modulus, name });
                Reply::Asked { from: *from, digits: digits.to_string(), camera }
            }
            Event::PairingTurnedAway { from, why } => Reply::Away { from: *from, why: *why },
            Event::PairingEnded(end) => Reply::Ended(match end {
                PairingEnd::Paired => End::Paired,
                PairingEnd::Unconfirmed => End::Unconfirmed,
                PairingEnd::Expired => End::Expired,
                PairingEnd::Refused => End::Refused,
                PairingEnd::NotAnswered => End::Unanswered,
                PairingEnd::CameraGone(why) => End::Gone(report::pairing_gone(*why).to_owned()),
            }),
            _ => return,
        };
        self.reply(&reply);
    }

    fn reply(&mut self, reply: &Reply) {
        if let Some(owner) = &mut self.owner {
            owner.say(&reply.line());
        }
    }

    /// Says whether there is an owner who was not there before. Others wait until it is known whether that one has gone
    /// already.
    fn let_in(&mut self) -> bool {
        let Some(door) = &self.door else { return false };
        // Whatever is wrong with one visitor is no reason not to look for the next.
        while let Ok((stream, _)) = door.listener.accept() {
            let Ok(mut visitor) = Lines::new(stream) else { continue };
            if !visitor.peer().is_ok_and(|peer| talk::is_ours(peer, door.owner)) {
                continue;
            }
            if self.owner.is_some() {
                visitor.say(&Reply::Busy.line());
                continue;
            }
            self.owner = Some(visitor);
            return true;
        }
        false
    }
}

impl Door {
    /// `None` where a display that runs has it.
    fn open(state: &State) -> Result<Option<Self>> {
        // Of two displays that start at once, one finds the other's.
        let lock = state.lock()?;
        let (path, owner) = (state.file(SOCKET), state.owner()?);
        let listener = listen(&path, || lock.hand_over(SOCKET)).map_err(|error| {
            Failure::new(Exit::State, format!("No socket can be made at {}: {error}.", path.display()))
        })?;
        let made = found_at(&path);
        Ok(listener.map(|listener| Self { listener, path, made, owner }))
    }
}

/// `None` where somebody listens already. What is made is `given` to whose it shall be.
fn listen(path: &Path, given: impl FnOnce() -> io::Result<()>) -> io::Result<Option<UnixListener>> {
    match UnixStream::connect(path) {
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if is_left(path, &error)? => {
            if !fs::symlink_metadata(path)?.file_type().is_socket() {
                return Err(io::Error::other("what stands there is no socket. Move it away"));
            }
            fs::remove_file(path)?;
        }
        Err(error) => return Err(error),
    }
    let made = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // The file's mode is its socket's: nobody else can connect at any time, and no other file is changed.
    fchmod(&made, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(made.as_raw_fd(), &UnixAddr::new(path)?)?;
    given()?;
    nix::sys::socket::listen(&made, Backlog::MAXCONN)?;
    let listener = UnixListener::from(made);
    listener.set_nonblocking(true)?;
    Ok(Some(listener))
}

/// Whether a dead display has left this socket, to which one cannot connect.
fn is_left(path: &Path, error: &io::Error) -> io::Result<bool> {
    Ok(match error.kind() {
        io::ErrorKind::ConnectionRefused => true,
        // That of a display of root's that lives was given to the directory's owner.
        io::ErrorKind::PermissionDenied => fs::symlink_metadata(path)?.uid() != Uid::effective().as_raw(),
        _ => false,
    })
}

/// Which file stands there now.
fn found_at(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().as_ref().map(inode)
}

impl Drop for Door {
    fn drop(&mut self) {
        // What stays is recognised as left over. So it is where a display that root runs may no longer change another
        // user's directory.
        if found_at(&self.path) == self.made {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::sink::file::tests::TestDir;

    #[test]
    fn visitor_who_has_gone_keeps_nobody_out() {
        let dir = TestDir::new("desk");
        let state = State::open(Some(dir.path())).unwrap();
        let Opened::Open(mut desk) = Desk::open(&state) else { panic!("nobody else is here") };
        // As a second display does, which only wants to know whether somebody is there.
        drop(UnixStream::connect(state.file(SOCKET)).unwrap());
        let mut owner = UnixStream::connect(state.file(SOCKET)).unwrap();
        owner.write_all(b"pair\n").unwrap();
        assert_eq!(desk.listen(), Some(Request::Refuse), "the first one's end");
        assert_eq!(desk.listen(), Some(Request::Pair));
        assert_eq!(desk.listen(), None);
    }
}
