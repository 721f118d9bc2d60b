//! What the fuzz targets have in common: a camera and a display joined by an attacker ([`pair`]), who does what the
//! input says ([`script`]). One file in `targets` for each target. How to run them: docs/testing.md, "Fuzzing".

pub mod input;
pub mod keys;
pub mod pair;
pub mod script;
