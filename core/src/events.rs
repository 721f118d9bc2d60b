//! Events that wait for `poll` to hand them out. When nobody polls, the oldest are lost and counted.

use heapless::Deque;

use crate::key::Fingerprint;
use crate::output::Event;

const ROOM: usize = 16;

/// A short queue.
pub(crate) struct Events {
    queue: Deque<Event, ROOM>,
    pub(crate) lost: u64,
}

impl Events {
    pub(crate) const fn new() -> Self {
        Self { queue: Deque::new(), lost: 0 }
    }

    pub(crate) fn push(&mut self, event: Event) {
        if let Event::CameraState { camera, .. } = event {
            self.forget_state(&camera);
        }
        if self.queue.is_full() {
            let _oldest = self.queue.pop_front();
            self.lost += 1;
        }
        let _pushed = self.queue.push_back(event);
    }

    /// Of the states that a camera tells the last one counts. It may tell any number between two polls, which must not
    /// push out what the user has to know of others.
    fn forget_state(&mut self, camera: &Fingerprint) {
        for _ in 0..self.queue.len() {
            let waiting = self.queue.pop_front();
            let is_state =
                |event: &Event| matches!(event, Event::CameraState { camera: of, .. } if of == camera);
            if let Some(event) = waiting.filter(|event| !is_state(event)) {
                let _there_is_room = self.queue.push_back(event);
            }
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::status::CaptureState;

    #[test]
    fn states_of_one_camera_push_out_nothing_and_the_last_one_counts() {
        let (one, other) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
        let state = |camera, state| Event::CameraState { camera, state };
        let mut events = Events::new();
        events.push(state(other, CaptureState::NoCamera));
        events.push(Event::NoPlace { camera: other });
        for round in 0..100 {
            events.push(state(
                one,
                if round % 2 == 0 { CaptureState::NoCamera } else { CaptureState::Capturing },
            ));
        }
        let left = [
            state(other, CaptureState::NoCamera),
            Event::NoPlace { camera: other },
            state(one, CaptureState::Capturing),
        ];
        assert!(core::iter::from_fn(|| events.pop()).eq(left));
        assert_eq!(events.lost, 0);
    }
}
