//! `Server::handle_datagram` in every state, with a session and without; the state is part of the input.
#![no_main]

use sealcam_fuzz::pair::Role;
use sealcam_fuzz::script;

libfuzzer_sys::fuzz_target!(|input: &[u8]| script::run(Role::Display, input));
