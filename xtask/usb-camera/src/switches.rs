//! Files by which a running camera is told to misbehave: `DIR/freeze` and `DIR/stall`, for as long as they exist.
//!
//! A file needs no process number and no signal: a test's script makes it and removes it.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How old the answer may be, so that a transfer every 4 ms does not look for files each time.
const MAX_AGE: Duration = Duration::from_millis(20);

/// How the camera misbehaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mode {
    /// It shows the same picture over and over.
    pub frozen: bool,
    /// It begins no picture at all.
    pub stalled: bool,
}

/// Both files.
#[derive(Debug)]
pub struct Switches {
    freeze: PathBuf,
    stall: PathBuf,
    seen: Option<(Duration, Mode)>,
}

impl Switches {
    /// Those in the folder of pictures.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { freeze: dir.join("freeze"), stall: dir.join("stall"), seen: None }
    }

    /// What they say now, or said a moment ago.
    pub fn mode(&mut self, now: Duration) -> Mode {
        match self.seen {
            Some((at, mode)) if now.saturating_sub(at) < MAX_AGE => mode,
            _ => {
                let mode = Mode { frozen: self.freeze.exists(), stalled: self.stall.exists() };
                self.seen = Some((now, mode));
                mode
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn files_switch_while_they_exist_and_are_looked_for_now_and_then() {
        let scratch = Scratch::new();
        let mut switches = Switches::new(scratch.path());
        assert_eq!(switches.mode(Duration::ZERO), Mode::default());
        let freeze = scratch.write("freeze", b"");
        assert_eq!(switches.mode(MAX_AGE / 2), Mode::default());
        assert_eq!(switches.mode(MAX_AGE), Mode { frozen: true, stalled: false });
        scratch.write("stall", b"");
        assert_eq!(switches.mode(MAX_AGE * 2), Mode { frozen: true, stalled: true });
        std::fs::remove_file(freeze).unwrap();
        assert_eq!(switches.mode(MAX_AGE * 3), Mode { frozen: false, stalled: true });
    }
}
