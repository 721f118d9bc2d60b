//! A folder that one run uses at a time: whoever holds the lock on a file in it. The lock goes with its holder, however
//! that ends.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::clock::{Stopwatch, spoken};
use crate::failure::{Failure, Result};
use crate::say::say;
use crate::sys;

const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Takes the lock, for as long as what is returned lives. Waits so long for another run, and says so; `advice` tells what
/// to do when that is too long.
pub(crate) fn take(file: &Path, patience: Duration, advice: &str) -> Result<File> {
    let fail = |error: std::io::Error| Failure::new(format!("The lock {}: {error}.", file.display()));
    let lock = File::create(file).map_err(fail)?;
    let watch = Stopwatch::start();
    let mut is_told = false;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        if sys::interrupted() {
            return Err(Failure::new("Interrupted."));
        }
        if watch.elapsed() >= patience {
            let waited = if is_told { format!(" since {}", spoken(patience)) } else { String::new() };
            return Err(Failure::new(format!("Another run holds {}{waited}. {advice}", file.display())));
        }
        if !is_told {
            say(format_args!("waiting for another run, which holds {}", file.display()))?;
            is_told = true;
        }
        thread::sleep(LOOK_AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::TemporaryFolder;

    #[test]
    fn a_lock_is_free_again_when_its_holder_is_gone() {
        let folder = TemporaryFolder::make("lock").unwrap();
        let file = folder.path().join("lock");
        let held = take(&file, Duration::ZERO, "Wait.").unwrap();
        let failure = take(&file, Duration::ZERO, "Wait.").unwrap_err().to_string();
        assert!(failure.starts_with("Another run holds /") && failure.ends_with("lock. Wait."), "{failure}");
        let failure = take(&file, Duration::from_millis(300), "Wait.").unwrap_err().to_string();
        assert!(failure.ends_with("since 0.3 s. Wait."), "{failure}");
        drop(held);
        assert!(take(&file, Duration::ZERO, "Wait.").is_ok());
    }
}
