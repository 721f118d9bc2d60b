//! A camera and a display with keys for tests, in a temporary directory, and what a person would do with them.

pub(crate) mod bad_jpegs;
mod jpeg;
mod owner;
pub(crate) mod parts;
mod program;
mod relay;
mod secrets;
mod users;

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sealcam_core::time::Instant;
use sealcam_linux::clock::Clock;

pub(crate) use self::jpeg::{Random, jpeg, write_folder};
use self::program::Log;
pub(crate) use self::program::Program;
pub(crate) use self::relay::{Relay, To, socket};
pub(crate) use self::secrets::Secrets;
pub(crate) use self::users::{command, is_root, user};

/// However slow the machine, what takes longer than this does not happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const DISPLAY_KEY: &[u8] = include_bytes!("../../../core/tests/data/TEST-ONLY-display-key.pem");
pub(crate) const CAMERA_KEY: &[u8] = include_bytes!("../../../core/tests/data/TEST-ONLY-camera-key.pem");
pub(crate) const OTHER_KEY: &[u8] = include_bytes!("../../../core/tests/data/TEST-ONLY-camera2-key.pem");

/// The name under which the camera is authorized.
pub(crate) const CAMERA: &str = "porch";

/// One camera, and displays, in a temporary directory that goes with this value.
pub(crate) struct House {
    scene: Arc<Scene>,
    /// Set for every program.
    pub(crate) environment: Vec<(&'static str, PathBuf)>,
    /// The words of a command that becomes every program, such as `prlimit` with what it sets.
    pub(crate) under: Vec<String>,
}

/// The directory, and the logs of all programs that ran in it: what a failure tells.
pub(crate) struct Scene {
    path: PathBuf,
    logs: Mutex<Vec<Arc<Log>>>,
    /// What commands wrote that have run to their end, and which they were.
    done: Mutex<Vec<(String, Vec<u8>)>>,
}

impl House {
    /// A display and a camera that have keys and do not know each other.
    pub(crate) fn of_strangers() -> Self {
        let house = Self { scene: Arc::new(Scene::new()), environment: Vec::new(), under: Vec::new() };
        house.put("display", "display_key.pem", DISPLAY_KEY);
        house.put("camera", "camera_key.pem", CAMERA_KEY);
        house
    }

    /// A display that has authorized the camera as [`CAMERA`]. The camera trusts no display yet.
    pub(crate) fn new() -> Self {
        let house = Self::of_strangers();
        house.authorize();
        house
    }

    /// A second display, with a key of its own.
    pub(crate) fn add_display(&self, name: &str) {
        self.put(name, "display_key.pem", OTHER_KEY);
    }

    /// A path in the temporary directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scene.path.join(name)
    }

    /// Puts a file into a state directory, for its owner only.
    pub(crate) fn put(&self, directory: &str, name: &str, contents: &[u8]) -> PathBuf {
        let directory = self.path(directory);
        if !directory.exists() {
            DirBuilder::new().mode(0o700).create(&directory).unwrap();
        }
        let path = directory.join(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Lets the camera in, as its owner would.
    pub(crate) fn authorize(&self) {
        self.authorize_at("display");
    }

    /// Lets the camera in at the display whose state is in `display`.
    pub(crate) fn authorize_at(&self, display: &str) {
        let line = self.client(&["identity", "--name", CAMERA]).text();
        self.run_server(display, &["authorize", &between_quotes(&line)]).text();
    }

    /// Makes the camera trust the display whose state is in `display`, at this address.
    pub(crate) fn trust(&self, display: &str, address: SocketAddr) {
        let fingerprint = self.run_server(display, &["fingerprint"]).text();
        self.client(&["trust", "--replace", &address.to_string(), fingerprint.trim()]).text();
    }

    /// Runs a command of `sealcam-server` in the display's state directory to its end.
    pub(crate) fn server(&self, arguments: &[&str]) -> Done {
        self.run_server("display", arguments)
    }

    /// The same in another state directory.
    pub(crate) fn run_server(&self, state: &str, arguments: &[&str]) -> Done {
        self.run(self.command(server_path(), state, arguments))
    }

    /// Runs a command of `sealcam-client` in the camera's state directory to its end.
    pub(crate) fn client(&self, arguments: &[&str]) -> Done {
        self.run_client("camera", arguments)
    }

    /// The same in another state directory.
    pub(crate) fn run_client(&self, state: &str, arguments: &[&str]) -> Done {
        self.run(self.command(&client_path(), state, arguments))
    }

    /// Starts the display on a free port of 127.0.0.1 and waits until it listens.
    pub(crate) fn display(&self, sink: &str) -> Program {
        self.display_at("display", "127.0.0.1:0", sink)
    }

    /// Starts the display with this state, at this address, and waits until it listens.
    pub(crate) fn display_at(&self, state: &str, listen: &str, sink: &str) -> Program {
        let display = self.start("display", server_path(), state, &["--listen", listen, "--sink", sink]);
        display.line("Listening on");
        display
    }

    /// Starts the display on a free port of 127.0.0.1 with these arguments and waits until it listens.
    pub(crate) fn display_with(&self, arguments: &[&str]) -> Program {
        let listen = ["--listen", "127.0.0.1:0"];
        let display = self.start("display", server_path(), "display", &[&listen[..], arguments].concat());
        display.line("Listening on");
        display
    }

    /// Starts the camera.
    pub(crate) fn camera(&self, arguments: &[&str]) -> Program {
        self.start("camera", &client_path(), "camera", arguments)
    }

    /// Starts a program that is not ours, in the temporary directory.
    pub(crate) fn other(&self, name: &str, mut command: Command) -> Program {
        command.current_dir(&self.scene.path);
        Program::start(&self.scene, name, command)
    }

    /// Starts a display and a camera that trusts it.
    pub(crate) fn stream(&self, sink: &str, camera: &[&str]) -> (Program, Program) {
        let display = self.display(sink);
        self.trust("display", display.address());
        let camera = self.camera(camera);
        (display, camera)
    }

    /// Starts a display and a camera that trusts it, with a relay between them.
    pub(crate) fn relayed(&self, sink: &str, camera: &[&str]) -> (Program, Relay, Program) {
        let display = self.display(sink);
        let relay = Relay::to(display.address());
        self.trust("display", relay.address());
        let camera = self.camera(camera);
        (display, relay, camera)
    }

    /// Waits until `look` finds something.
    pub(crate) fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        self.scene.until(what, look)
    }

    /// All that programs and commands have written here, and whose it is. Of what has ended, it is whole.
    pub(crate) fn written(&self) -> Vec<(String, Vec<u8>)> {
        let logs = self.scene.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.scene.done.lock().unwrap_or_else(PoisonError::into_inner);
        logs.iter().flat_map(|log| log.written()).chain(done.iter().cloned()).collect()
    }

    fn start(&self, name: &str, path: &Path, state: &str, arguments: &[&str]) -> Program {
        Program::start(&self.scene, name, self.command(path, state, arguments))
    }

    fn command(&self, path: &Path, state: &str, arguments: &[&str]) -> Command {
        let mut words = self.under.iter().map(OsStr::new).chain([path.as_os_str()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        command.args([OsStr::new("--state"), self.path(state).as_os_str()]).args(arguments);
        command.env_remove("STATE_DIRECTORY").env_remove("CREDENTIALS_DIRECTORY");
        command.envs(self.environment.iter().cloned());
        command.current_dir(&self.scene.path);
        command
    }

    fn run(&self, mut command: Command) -> Done {
        let output = command.output().unwrap();
        let mut done = self.scene.done.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, written) in [("error", &output.stderr), ("output", &output.stdout)] {
            done.push((format!("standard {what} of {command:?}"), written.clone()));
        }
        Done { output, scene: Arc::clone(&self.scene) }
    }
}

/// A command that has run to its end.
pub(crate) struct Done {
    output: Output,
    scene: Arc<Scene>,
}

impl Done {
    /// Its exit code.
    pub(crate) fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// What it wrote to standard error.
    pub(crate) fn log(&self) -> String {
        String::from_utf8(self.output.stderr.clone()).unwrap()
    }

    /// What it wrote to standard output, if it succeeded.
    pub(crate) fn text(&self) -> String {
        if self.code() != Some(0) {
            self.scene.fail(&format!("a command failed with {:?}:\n{}", self.code(), self.log()));
        }
        String::from_utf8(self.output.stdout.clone()).unwrap()
    }
}

impl Scene {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sealcam-programs-{}-{number}", std::process::id()));
        // One of this name can only be left from a process that is dead and had the same number.
        let _ = fs::remove_dir_all(&path);
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self { path, logs: Mutex::default(), done: Mutex::default() }
    }

    /// Fails the test, and tells what all programs said.
    pub(crate) fn fail(&self, what: &str) -> ! {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let said: String = logs.iter().map(|log| log.tell()).collect();
        panic!("{what}\n{said}")
    }

    /// Waits until `look` finds something.
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Clock.now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            if Clock.now() >= end {
                self.fail(&format!("in {PATIENCE:?} it did not come to this: {what}"));
            }
            // What is waited for happens in another process: looking is the only way to learn of it.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What stands between the first two quotes: a line to be pasted.
pub(crate) fn between_quotes(text: &str) -> String {
    text.split('\'').nth(1).unwrap_or_else(|| panic!("nothing in quotes: {text}")).to_owned()
}

/// Tells how long something took: measured, not judged, since the machine may be busy with anything.
pub(crate) fn tell_time(what: &str, since: Instant) {
    println!("{what}: {:.2} s", Clock.now().since(since).as_secs_f64());
}

pub(crate) fn server_path() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_sealcam-server"))
}

/// Cargo tells the programs of the tested package only; the other one lies beside it.
pub(crate) fn client_path() -> PathBuf {
    let path = server_path().with_file_name("sealcam-client");
    assert!(
        path.exists(),
        "{} is not there: these tests run both programs. `cargo test --workspace` builds them, \
         `cargo build -p sealcam-client` the missing one.",
        path.display()
    );
    path
}
