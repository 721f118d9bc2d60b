//! The owner of both devices, who pairs them: starts the two commands, carries the code, reads digits, answers.

use std::fs;
use std::io::Write;

use super::program::Program;
use super::{House, OTHER_KEY, client_path, server_path};

impl House {
    /// A second camera, with a key of its own.
    pub(crate) fn add_camera(&self, name: &str) {
        self.put(name, "camera_key.pem", OTHER_KEY);
    }

    /// Starts `sealcam-server pair` and waits for the code that it shows.
    pub(crate) fn pair(&self, arguments: &[&str]) -> (Program, String) {
        let pair = self.start_pair(arguments);
        let code = pair.output("a code", |bytes| {
            let text = std::str::from_utf8(bytes).unwrap();
            text.split_once('\n').map(|(code, _)| code.to_owned())
        });
        (pair, code)
    }

    /// Starts `sealcam-server pair`, which may show a code or not.
    pub(crate) fn start_pair(&self, arguments: &[&str]) -> Program {
        self.start("pair", server_path(), "display", &[&["pair"], arguments].concat())
    }

    /// Starts `sealcam-client pair` with this state and code.
    pub(crate) fn join(&self, state: &str, code: &str) -> Program {
        self.start("joining camera", &client_path(), state, &["pair", code])
    }

    /// Starts `sealcam-client pair` and gives it the code on standard input.
    pub(crate) fn join_by_input(&self, code: &str) -> Program {
        let mut camera = self.start("joining camera", &client_path(), "camera", &["pair", "-"]);
        writeln!(camera.input(), "{code}").unwrap();
        camera
    }

    /// Starts `sealcam-client` with a synthetic picture and this state.
    pub(crate) fn pattern(&self, state: &str) -> Program {
        self.start("camera", &client_path(), state, &["--source", "pattern", "--fps", "10"])
    }

    /// The display's list of cameras, as it stands in its file.
    pub(crate) fn list(&self) -> String {
        fs::read_to_string(self.path("display").join("authorized_cameras")).unwrap_or_default()
    }

    /// Whether the camera with this state trusts a display.
    pub(crate) fn trusts(&self, state: &str) -> bool {
        self.path(state).join("display.conf").exists()
    }
}

impl Program {
    /// Answers the question that it asks, once it has asked it.
    pub(crate) fn answer(&mut self, answer: &str) {
        self.line("[y/N]");
        writeln!(self.input(), "{answer}").unwrap();
    }

    /// Waits for its end, with this exit code; these must be in its log.
    pub(crate) fn ends_with(&mut self, code: i32, parts: &[&str]) {
        let exit = self.exit();
        let log = self.log();
        assert_eq!(exit, code, "{log}");
        for part in parts {
            assert!(log.contains(part), "{part:?} is not in:\n{log}");
        }
    }

    /// The six digits that it shows.
    pub(crate) fn digits(&self) -> String {
        let line = self.line("six digits:");
        let digits = line.split("six digits:").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        assert!(digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()), "{line}");
        digits
    }
}
