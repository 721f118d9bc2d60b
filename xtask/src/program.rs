//! One of the two programs while it runs: its log, and its end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::process;

/// How long a program that was asked to end may take; it has a camera or a screen to put in order.
const END_WITHIN: Duration = Duration::from_secs(5);

/// How many lines of a log are shown of a program that failed.
const LAST_LINES: usize = 12;

/// Ended when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts it, its stderr going to a log in `folder`.
    pub(crate) fn start(name: &'static str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file =
            File::create(&log).map_err(|error| Failure::new(format!("{}: {error}.", log.display())))?;
        let child = command.stdin(Stdio::null()).stderr(file).spawn();
        let child = child.map_err(|error| Failure::new(format!("{name} could not be started: {error}.")))?;
        Ok(Self { name, child, log })
    }

    /// Its resident memory in kB.
    pub(crate) fn resident(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).map_err(|error| Failure::new(format!("{path}: {error}.")))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| Failure::new(format!("{path} tells no VmRSS.")))
    }

    /// Whether it runs no more.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        let status =
            self.child.try_wait().map_err(|error| Failure::new(format!("{}: {error}.", self.name)))?;
        Ok(status.is_some())
    }

    /// Asks it to end, and makes it end when it takes too long; how it ended.
    pub(crate) fn stop(&mut self) -> Result<ExitStatus> {
        self.stop_within(END_WITHIN)
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The end of its log, indented.
    pub(crate) fn last_lines(&self) -> String {
        let log = self.log();
        let skipped = log.lines().count().saturating_sub(LAST_LINES);
        let lines: Vec<_> = log.lines().skip(skipped).map(|line| format!("    {line}")).collect();
        if lines.is_empty() { "    (nothing)".into() } else { lines.join("\n") }
    }

    fn stop_within(&mut self, patience: Duration) -> Result<ExitStatus> {
        process::end_within(&mut self.child, patience)
            .map_err(|error| Failure::new(format!("{} could not be ended: {error}.", self.name)))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Err(failure) = self.stop() {
            eprintln!("xtask: {failure}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::TemporaryFolder;
    use std::os::unix::process::ExitStatusExt;
    use std::thread;

    /// A shell that says that it is ready when it is, so that the signal does not come before its trap.
    fn ready_shell(script: &str, folder: &Path) -> Program {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut program = Program::start("sh", command, folder).unwrap();
        while !program.log().contains("ready") {
            assert!(!program.has_ended().unwrap(), "{}", program.log());
            thread::yield_now();
        }
        program
    }

    #[test]
    fn a_program_that_heeds_the_signal_ends_with_its_own_status() {
        let folder = TemporaryFolder::make("demo").unwrap();
        let script = "trap 'echo closed >&2; exit 3' TERM; echo ready >&2; while :; do sleep 0.05; done";
        let mut program = ready_shell(script, folder.path());
        assert_eq!(program.stop().unwrap().code(), Some(3));
        assert!(program.last_lines().ends_with("    closed"), "{}", program.last_lines());
        assert_eq!(program.stop().unwrap().code(), Some(3));
    }

    #[test]
    fn a_program_that_ignores_the_signal_is_killed() {
        let folder = TemporaryFolder::make("demo").unwrap();
        let script = "trap '' TERM; echo ready >&2; while :; do sleep 0.05; done";
        let mut program = ready_shell(script, folder.path());
        let status = program.stop_within(Duration::from_millis(50)).unwrap();
        assert_eq!(status.signal(), Some(9));
    }

    #[test]
    fn only_the_end_of_a_long_log_is_shown() {
        let folder = TemporaryFolder::make("demo").unwrap();
        let mut program =
            ready_shell("seq 100 >&2; echo ready >&2; while :; do sleep 0.05; done", folder.path());
        program.stop().unwrap();
        assert_eq!(program.last_lines().lines().count(), LAST_LINES);
        assert!(program.last_lines().contains("    100\n"));
    }
}
