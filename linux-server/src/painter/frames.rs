//! Painting for sinks that want the frames themselves: hands each on, in order, as it came.

use std::time::Duration;

use sealcam_core::time::Instant;

use super::mailbox::Parcel;
use super::shared::{Appetite, Shared};
use crate::sink::{FrameSink, SinkEnd};

/// How often the sink is asked whether anyone is still there, while no frames come.
const TEND: Duration = Duration::from_secs(1);

/// Works until told to stop; what waits then is still handed on.
pub(super) fn run(
    mut sink: Box<dyn FrameSink>,
    clock: &dyn Fn() -> Instant,
    shared: &Shared,
) -> Result<(), SinkEnd> {
    loop {
        let work = shared.next(TEND, Appetite::Any);
        match work.frame {
            Some(frame) => hand_on(&mut *sink, frame, clock, shared)?,
            None if work.stop => return Ok(()),
            None => sink.tend()?,
        }
    }
}

fn hand_on(
    sink: &mut dyn FrameSink,
    frame: Parcel,
    clock: &dyn Fn() -> Instant,
    shared: &Shared,
) -> Result<(), SinkEnd> {
    let written = sink.write(&frame.camera, frame.number, &frame.jpeg);
    let now = clock();
    let mut state = shared.lock();
    if written.is_ok() {
        state.stats.count_shown(now, now.since(frame.captured_at));
    }
    state.mailbox.give_back(frame);
    written
}
