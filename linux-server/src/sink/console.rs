//! The text console that shares the screen with a framebuffer: told to keep quiet, and given back at the end.
//!
//! In graphics mode the kernel neither draws text nor a cursor, nor blanks the screen. Only whoever has the console
//! as controlling terminal, or CAP_SYS_TTY_CONFIG, may switch it. When the program is killed the mode stays; the
//! next start switches it again and gives it back at its end.
//!
//! The kernel draws its text again when it is switched back, and only then: where it could not be switched, or where
//! there is no console at all, whoever painted has to take the picture off the screen.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};

use nix::errno::Errno;
use nix::libc::{O_NOCTTY, O_NONBLOCK};

use super::SinkEnd;
use super::restore::{self, Guard};
use super::sys::{self, ConsoleMode};

const HIDE_CURSOR: &[u8] = b"\x1b[?25l";
const SHOW_CURSOR: &[u8] = b"\x1b[?25h";

/// The console for as long as this program paints over it; given back when dropped.
pub(super) struct Console {
    quiet: bool,
    warning: Option<String>,
    guard: Option<Guard>,
}

impl Console {
    /// Takes the console that is on the screen, as far as that is allowed. `wipe` takes the picture off the screen;
    /// it is done before the console is given back, by whatever ends the program.
    pub(super) fn take(wipe: impl Fn() + Send + Sync + 'static) -> Self {
        let mut refusal = None;
        for path in candidates() {
            match open(&path) {
                Ok(tty) => match sys::console_mode(tty.as_fd()) {
                    Ok(mode) => return Self::take_over(Arc::new(tty), mode, wipe),
                    // A terminal that is no virtual console: an ssh login, a serial line.
                    Err(_) => continue,
                },
                // The later candidates' reasons say more than that there is no controlling terminal.
                Err(error) => refusal = Some(format!("{}: {error}", path.display())),
            }
        }
        // Without any virtual console nothing can draw over the picture.
        let warning = refusal.filter(|_| Path::new("/dev/tty0").exists()).map(|why| refused(&why));
        Self { quiet: warning.is_none(), warning, guard: Some(restore::on_exit(wipe)) }
    }

    /// Whether nothing else draws on the screen, so that what was painted stays.
    pub(super) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// What the user should know about it.
    pub(super) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// To be held while painting; an error once the console was given back.
    pub(super) fn hold(&self) -> Result<Option<MutexGuard<'_, ()>>, SinkEnd> {
        self.guard.as_ref().map(|guard| guard.hold().ok_or_else(SinkEnd::given_back)).transpose()
    }

    fn take_over(tty: Arc<File>, mode: ConsoleMode, wipe: impl Fn() + Send + Sync + 'static) -> Self {
        if mode == ConsoleMode::Graphics && sys::is_held_by_a_program(tty.as_fd()).unwrap_or(false) {
            return Self { quiet: false, warning: Some(DESKTOP.to_owned()), guard: None };
        }
        let back = Arc::clone(&tty);
        match sys::set_console_mode(tty.as_fd(), ConsoleMode::Graphics) {
            Ok(()) => {
                // Text even where it was graphics before: no program holds it, so one was killed here.
                let guard = restore::on_exit(move || {
                    wipe();
                    // On the way out nothing is left to be done about a failure.
                    let _ = sys::set_console_mode(back.as_fd(), ConsoleMode::Text);
                });
                Self { quiet: true, warning: None, guard: Some(guard) }
            }
            Err(error) => {
                // The cursor at least can be hidden by anyone who may write there; if not, it blinks.
                let _ = (&*tty).write_all(HIDE_CURSOR);
                let guard = restore::on_exit(move || {
                    wipe();
                    let _ = (&*back).write_all(SHOW_CURSOR);
                });
                let why = format!("KDSETMODE: {}", error.desc());
                Self { quiet: false, warning: Some(refused(&why)), guard: Some(guard) }
            }
        }
    }
}

/// The terminal that this program belongs to, then the console on the screen under both of its names: the second
/// belongs to whoever is logged in there.
fn candidates() -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from("/dev/tty"), PathBuf::from("/dev/tty0")];
    if let Ok(active) = fs::read_to_string("/sys/class/tty/tty0/active") {
        paths.push(Path::new("/dev").join(active.trim()));
    }
    paths
}

/// Opens a terminal without making it the controlling one.
fn open(path: &Path) -> io::Result<File> {
    let with =
        |read| OpenOptions::new().read(read).write(true).custom_flags(O_NOCTTY | O_NONBLOCK).open(path);
    match with(true) {
        // The group `tty` may write but not read.
        Err(error) if error.raw_os_error() == Some(Errno::EACCES as i32) => with(false),
        other => other,
    }
}

fn refused(why: &str) -> String {
    format!(
        "The text console could not be switched to graphics ({why}): its text and cursor can show up over the \
         picture, and if a desktop runs on this screen, that hides the picture. To prevent it, start this program \
         on the console itself, or as a service with TTYPath=/dev/tty1 and StandardInput=tty, or give it the \
         capability CAP_SYS_TTY_CONFIG."
    )
}

const DESKTOP: &str = "A desktop (X or Wayland) holds this screen, so the picture on the framebuffer cannot be \
    seen. Start this program inside the desktop with --sink window, or end the desktop first (on systemd: \
    sudo systemctl isolate multi-user.target). If it crashed, the console is still marked as held: switch to another \
    and back (sudo chvt 2; sudo chvt 1) and start again.";
