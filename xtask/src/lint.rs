//! `cargo xtask clippy`, `fmt` and `doc`: what the toolchain itself checks, with every warning an error.

use crate::failure::{Failure, Result};
use crate::need;
use crate::process;

/// Clippy over everything, and over the core once more without the part that needs an allocator.
pub(crate) fn clippy() -> Result {
    component("clippy", "rust-web-clippy")?;
    need::libclang()?;
    let deny = ["--", "-D", "warnings"];
    process::run(process::cargo().args(["clippy", "--workspace", "--all-targets"]).args(deny))?;
    process::run(process::cargo().args(["clippy", "-p", "sealcam-core", "--no-default-features"]).args(deny))
}

/// The layout of the source text; `cargo fmt` puts it right.
pub(crate) fn fmt() -> Result {
    component("fmt", "rustfmt-web")?;
    process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
    // A workspace of its own.
    process::run(process::cargo().args(["fmt", "--manifest-path", "core/fuzz/Cargo.toml", "--check"]))
}

/// The documentation, with links that lead somewhere.
pub(crate) fn doc() -> Result {
    need::libclang()?;
    let mut command = process::cargo();
    process::run(command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn component(name: &str, package: &str) -> Result {
    if process::succeeds(process::cargo().args([name, "--version"])) {
        return Ok(());
    }
    let component = if name == "fmt" { "rustfmt" } else { name };
    Err(Failure::new(format!(
        "This toolchain has no `cargo {name}`. With rustup:\n    rustup component add {component}\nwith Debian 12's toolchain:\n    {}",
        need::paste_line(&[package])
    )))
}
