//! `cargo xtask test`: every test that runs on this machine.
//!
//! The unit tests, the simulated network, both programs over loopback and the examples in the documentation are all
//! ordinary Cargo tests. What this adds is to see beforehand that what a build script needs is there.

use crate::failure::Result;
use crate::need;
use crate::process;

/// The command; the arguments go to `cargo test`.
pub(crate) fn run(arguments: &[String]) -> Result {
    need::libclang()?;
    process::run(process::cargo().args(["test", "--workspace"]).args(arguments))
}
