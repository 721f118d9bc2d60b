//! A program's private key: a credential of its service, else a file in the state directory, made on the first start.
//! PKCS#8 PEM, for its owner only.
//!
//! The arithmetic and the text are the core's (`sealcam_core::rsa`); who may read the file is [`crate::state`]'s, and
//! who may read the credential `credential.rs`'s.
//! docs/protocol.md §1 has the size and the exponent, §13 the care that a private key needs.

use std::path::Path;

use sealcam_core::key::KeyError;
use sealcam_core::rsa::{PEM_MAX, PemError, PrivateKey};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::credential;
use crate::exit::{Exit, Failure, Result};
use crate::log::say;
use crate::random::OsRng;
use crate::state::State;
use crate::trust::{cameras, display};

/// Which key: each program has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFile {
    /// `display_key.pem`: decrypts what cameras send to the display.
    Display,
    /// `camera_key.pem`: signs for the camera.
    Camera,
}

impl KeyFile {
    /// The name of the file in the state directory, and of the credential.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Display => "display_key.pem",
            Self::Camera => "camera_key.pem",
        }
    }

    /// Reads the key in the state directory; `None` if there is none yet.
    ///
    /// # Errors
    /// [`Exit::State`], with what to do: open to others, of another owner, damaged, or not RSA-3072 with e = 65537.
    /// A key that is refused is never replaced: the other end may trust it.
    pub fn load(self, state: &State) -> Result<Option<PrivateKey>> {
        let Some(text) = state.read(self.name(), PEM_MAX)? else { return Ok(None) };
        PrivateKey::read_pem(text.as_slice()).map(Some).map_err(|error| self.unusable(state, error))
    }

    /// The credential of this name if the service manager has handed one over, which is then told on standard error.
    /// Else the key in the state directory; or makes one there if there is none yet, which takes from a second to a
    /// minute and is told too. Of several processes that make one at the same time, all get the one that stays.
    ///
    /// Do this before [`Waiter::new`](crate::wait::Waiter::new), so that Ctrl-C still ends it.
    ///
    /// # Errors
    /// As [`KeyFile::load`], for a credential too: where there is one, no other key is tried. [`Exit::State`] if the
    /// file cannot be written, [`Exit::Other`] if the system's source of randomness fails. Nothing is left behind then.
    pub fn load_or_make(self, state: &State) -> Result<PrivateKey> {
        self.obtain(credential::directory().as_deref(), state)
    }

    fn obtain(self, credentials: Option<&Path>, state: &State) -> Result<PrivateKey> {
        let credential = credentials.map(|directory| directory.join(self.name()));
        if let Some(path) = credential
            && let Some(key) = load_credential(&path)?
        {
            say(format_args!("The key comes from the credential {}.", path.display()));
            self.tell_of_another(&key, state);
            return Ok(key);
        }
        match self.load(state)? {
            Some(key) => Ok(key),
            None => self.make(state),
        }
    }

    /// Whoever runs a command without the credential gets the key in the state directory, and would wonder.
    fn tell_of_another(self, credential: &PrivateKey, state: &State) {
        // One that cannot be used is not used, and that is told by whatever comes to need it.
        let Ok(Some(key)) = self.load(state) else { return };
        if key.modulus() != credential.modulus() {
            say(format_args!(
                "Another key lies in {}, and is not used. A command that is run without the credential, in a shell, \
                 takes that one.",
                state.file(self.name()).display()
            ));
        }
    }

    fn make(self, state: &State) -> Result<PrivateKey> {
        state.check_writable()?;
        let path = state.file(self.name());
        let trust = state.file(self.trust());
        if trust.exists() {
            say(format_args!(
                "{} says whom to trust, but there is no key beside it. If the program that uses this directory has its \
                 key from a credential, the one that is made now is another: docs/systemd/README.md says how to run a \
                 command with the credential.",
                trust.display()
            ));
        }
        say(format_args!(
            "Making a 3072-bit RSA key, once: a second or two on a PC, up to a minute on a small device..."
        ));
        let begun = Clock.now();
        let made = PrivateKey::generate(&mut OsRng).map_err(not_made)?;
        let took = Clock.now().since(begun).as_secs_f32();
        let kept = self.keep(state, made)?;
        say(format_args!("Made in {took:.1} s: {}", path.display()));
        Ok(kept)
    }

    /// Writes `made`, unless another process has been quicker: then that one's key is the key.
    fn keep(self, state: &State, made: PrivateKey) -> Result<PrivateKey> {
        let lock = state.lock()?;
        if let Some(winner) = self.load(state)? {
            return Ok(winner);
        }
        let mut text = Zeroizing::new(vec![0; PEM_MAX]);
        let mut rest = text.as_mut_slice();
        made.write_pem(&mut rest).map_err(|error| self.unusable(state, error))?;
        let len = PEM_MAX - rest.len();
        lock.replace(self.name(), &text[..len])?;
        Ok(made)
    }

    /// The file that says whom the program with this key trusts.
    const fn trust(self) -> &'static str {
        match self {
            Self::Display => cameras::FILE,
            Self::Camera => display::FILE,
        }
    }

    fn unusable(self, state: &State, error: PemError) -> Failure {
        let path = state.file(self.name());
        let shown = path.display();
        let other_end = match self {
            Self::Display => "the cameras trust this display again (sealcam-server identity)",
            Self::Camera => "the display authorize this camera again (sealcam-client identity)",
        };
        Failure::new(
            Exit::State,
            format!(
                "The key in {shown} cannot be used: {error}. Put a copy of the right file there; or move this one \
                 away, let a new key be made, and have {other_end}."
            ),
        )
    }
}

fn load_credential(path: &Path) -> Result<Option<PrivateKey>> {
    let Some(text) = credential::read(path, PEM_MAX)? else { return Ok(None) };
    PrivateKey::read_pem(text.as_slice()).map(Some).map_err(|error| {
        let shown = path.display();
        Failure::new(
            Exit::State,
            format!(
                "The key in the credential {shown} cannot be used: {error}. Name the right file in the service's unit. \
                 No other key was tried."
            ),
        )
    })
}

fn not_made(error: KeyError) -> Failure {
    Failure::new(Exit::Other, format!("Cannot make a key: {error}. Nothing was written."))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;
    use std::thread;

    use sealcam_core::key::Modulus;

    use super::*;
    use crate::scratch::Scratch;

    const GOOD: &[u8] = include_bytes!("../../core/tests/data/TEST-ONLY-camera-key.pem");
    const OTHER: &[u8] = include_bytes!("../../core/tests/data/TEST-ONLY-camera2-key.pem");
    const SHORT: &[u8] = include_bytes!("../../core/tests/data/TEST-ONLY-2048-bit-key.pem");
    const EXPONENT_3: &[u8] = include_bytes!("../../core/tests/data/TEST-ONLY-exponent-3-key.pem");

    fn state(scratch: &Scratch) -> State {
        State::open(Some(scratch.path())).unwrap()
    }

    fn put(state: &State, file: KeyFile, text: &[u8]) {
        state.lock().unwrap().replace(file.name(), text).unwrap();
    }

    fn refused(text: &[u8]) -> Failure {
        let scratch = Scratch::new();
        let state = state(&scratch);
        put(&state, KeyFile::Camera, text);
        let failure = KeyFile::Camera.load_or_make(&state).err().unwrap();
        assert_eq!(fs::read(state.file("camera_key.pem")).unwrap(), text, "a refused key must stay");
        failure
    }

    #[test]
    fn key_is_made_once_private_and_stays_the_same() {
        let scratch = Scratch::new();
        let state = state(&scratch);
        assert!(KeyFile::Display.load(&state).unwrap().is_none());
        let made = KeyFile::Display.load_or_make(&state).unwrap();
        let again = KeyFile::Display.load_or_make(&state).unwrap();
        assert!(made.modulus() == again.modulus());
        let names: Vec<_> =
            fs::read_dir(state.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["display_key.pem"]);
        assert_eq!(fs::metadata(state.file("display_key.pem")).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn processes_that_make_a_key_at_once_end_with_one_key() {
        let scratch = Scratch::new();
        let state = state(&scratch);
        let made = [GOOD, OTHER, GOOD, OTHER].map(|text| PrivateKey::read_pem(text).unwrap());
        let kept: Vec<PrivateKey> = thread::scope(|scope| {
            let threads = made.map(|key| scope.spawn(|| KeyFile::Camera.keep(&state, key).unwrap()));
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let on_disk = KeyFile::Camera.load(&state).unwrap().unwrap();
        assert!(kept.iter().all(|key| key.modulus() == on_disk.modulus()));
    }

    #[test]
    fn key_that_others_can_read_is_refused_with_the_command_to_run() {
        let scratch = Scratch::new();
        let state = state(&scratch);
        put(&state, KeyFile::Camera, GOOD);
        fs::set_permissions(state.file("camera_key.pem"), Permissions::from_mode(0o644)).unwrap();
        let failure = KeyFile::Camera.load(&state).err().unwrap();
        assert_eq!(failure.exit, Exit::State);
        assert!(failure.message.contains("chmod 600"), "{failure}");
    }

    #[test]
    fn unusable_keys_are_refused_by_cause_and_never_replaced() {
        for (text, cause) in [
            (SHORT, "3072 bits"),
            (EXPONENT_3, "65537"),
            (&GOOD[..GOOD.len() / 2], "not PEM"),
            (b"", "not PEM"),
            (&[b'x'; PEM_MAX + 1], "more than 8192 bytes"),
        ] {
            let failure = refused(text);
            assert_eq!(failure.exit, Exit::State);
            assert!(failure.message.contains(cause), "{failure}");
        }
    }

    /// Makes the directory of credentials, with this key in it.
    fn give(scratch: &Scratch, text: &[u8], mode: u32) -> PathBuf {
        let path = scratch.path().join("credentials/camera_key.pem");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn modulus(text: &[u8]) -> Modulus {
        *PrivateKey::read_pem(text).unwrap().modulus()
    }

    #[test]
    fn credential_is_the_key_and_nothing_is_written() {
        for in_state in [None, Some(GOOD), Some(OTHER), Some(SHORT)] {
            let (scratch, credentials) = (Scratch::new(), Scratch::new());
            let state = state(&scratch);
            if let Some(text) = in_state {
                put(&state, KeyFile::Camera, text);
            }
            let given = give(&credentials, GOOD, 0o400);
            let key = KeyFile::Camera.obtain(given.parent(), &state).unwrap();
            assert!(*key.modulus() == modulus(GOOD));
            assert_eq!(fs::read(&given).unwrap(), GOOD);
            assert_eq!(fs::metadata(&given).unwrap().mode() & 0o7777, 0o400);
            assert_eq!(fs::read(state.file("camera_key.pem")).ok().as_deref(), in_state);
            let names = fs::read_dir(state.path()).unwrap().count();
            assert_eq!(names, usize::from(in_state.is_some()), "something else was written");
        }
    }

    #[test]
    fn credentials_without_this_key_are_as_none() {
        let (scratch, credentials) = (Scratch::new(), Scratch::new());
        let state = state(&scratch);
        put(&state, KeyFile::Display, OTHER);
        let given = give(&credentials, GOOD, 0o400);
        for directory in [given.parent(), Some(&credentials.path().join("gone")), None] {
            assert!(*KeyFile::Display.obtain(directory, &state).unwrap().modulus() == modulus(OTHER));
        }
    }

    #[test]
    fn unusable_credential_is_refused_by_cause_and_no_other_key_is_tried() {
        for (text, mode, cause) in [
            (SHORT, 0o400, "3072 bits"),
            (EXPONENT_3, 0o400, "65537"),
            (&GOOD[..GOOD.len() / 2], 0o400, "not PEM"),
            (b"", 0o400, "not PEM"),
            (&[b'x'; PEM_MAX + 1], 0o400, "more than 8192 bytes"),
            (GOOD, 0o444, "open to others (mode 0444)"),
        ] {
            let (scratch, credentials) = (Scratch::new(), Scratch::new());
            let state = state(&scratch);
            put(&state, KeyFile::Camera, GOOD);
            let given = give(&credentials, text, mode);
            let failure = KeyFile::Camera.obtain(given.parent(), &state).err().unwrap();
            assert_eq!(failure.exit, Exit::State);
            assert!(failure.message.contains(cause), "{failure}");
            assert!(failure.message.contains(&given.display().to_string()), "{failure}");
        }
    }

    #[test]
    fn key_is_not_made_where_it_cannot_be_kept() {
        let scratch = Scratch::new();
        let state = state(&scratch);
        fs::create_dir(state.file(".camera_key.pem.new")).unwrap();
        let key = PrivateKey::read_pem(GOOD).unwrap();
        assert_eq!(KeyFile::Camera.keep(&state, key).err().unwrap().exit, Exit::State);
        assert!(!state.file("camera_key.pem").exists());
    }
}
