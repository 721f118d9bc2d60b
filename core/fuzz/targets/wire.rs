//! Every parser of the wire; the first byte says which.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sealcam_core::fuzz::wire(input));
