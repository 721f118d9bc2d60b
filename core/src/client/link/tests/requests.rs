//! Requests for repair from a display gone bad (docs/protocol.md §9.2): checked for form, and no byte is sent for them.

use super::*;

const MS: Duration = Duration::from_millis(1);

struct Entry {
    frame_id: u32,
    base: u16,
    bitmap: Vec<u8>,
}

/// FEEDBACK without a sample, that frees nothing and asks for these.
fn feedback(n: u8, entries: &[Entry]) -> Vec<u8> {
    let mut words = vec![0; 28];
    words[0] = 0x03;
    words[18..20].fill(0xFF);
    words[27] = n;
    for entry in entries {
        words.extend(entry.frame_id.to_be_bytes());
        words.extend(entry.base.to_be_bytes());
        words.push(u8::try_from(entry.bitmap.len()).unwrap());
        words.extend(&entry.bitmap);
    }
    words
}

fn entry(frame_id: u32, base: u16, len: usize) -> Entry {
    Entry { frame_id, base, bitmap: vec![0xFF; len] }
}

impl Both {
    /// Runs both ends for so long; bytes of media that left the camera.
    fn media(&mut self, span: Duration) -> usize {
        let end = self.now + span;
        let mut media = 0;
        while self.now < end {
            self.now += MS;
            self.poll_server();
            let mut buf = [0; 1200];
            while let Output::Transmit(Transmit { len, .. }) = self.client.poll(self.now, &mut buf) {
                media += if len == CHUNK_DATAGRAM { len } else { 0 };
                let _frame = self.server.handle_datagram(self.now, address(2), &mut buf[..len]);
            }
        }
        media
    }

    fn frame(&mut self, len: usize) {
        self.client.send_frame(self.now, self.now, &vec![3; len]).unwrap();
    }
}

#[test]
fn requests_for_what_is_not_there_are_ignored() {
    let mut both = Both::in_epoch(1);
    // Frames 1 and 2 are sent and freed by then.
    for _ in 0..2 {
        both.frame(5000);
        assert!(both.media(200 * MS) > 0);
    }
    let asked = [
        vec![entry(1, 0, 33), entry(2, 0, 33)],
        vec![entry(0, 0, 1), entry(3, 0, 33), entry(u32::MAX, 0, 33), entry(1 << 31, 0, 33)],
        vec![entry(2, 4, 33), entry(2, 5, 1), entry(2, 4095, 33), entry(2, u16::MAX, 33)],
    ];
    for entries in &asked {
        let words = feedback(u8::try_from(entries.len()).unwrap(), entries);
        assert_eq!(both.hear(|out| out.put(&words)), Ok(()));
        assert_eq!(both.media(200 * MS), 0, "nothing is sent on account of it");
    }
    both.frame(5000);
    assert!(both.media(200 * MS) > 0, "the stream goes on");
    assert_eq!(both.counter_verdict(), None);
}

#[test]
fn requests_without_form_close_the_session() {
    let five: Vec<_> = (0..5).map(|frame_id| entry(frame_id, 0, 1)).collect();
    let cut_short = feedback(4, &[entry(1, 0, 1)]);
    for words in [
        feedback(5, &five),
        feedback(255, &[]),
        feedback(1, &[entry(1, 0, 0)]),
        feedback(1, &[entry(1, 0, 34)]),
        feedback(1, &[entry(1, 0, 255)]),
        cut_short,
    ] {
        let mut both = Both::in_epoch(1);
        assert_eq!(both.hear(|out| out.put(&words)), Err(Discard::Violation), "{:?}", &words[27..]);
        let protocol = SessionEnd::ClosedByPeer(CloseReason::Protocol);
        assert_eq!(both.counter_verdict(), Some(protocol));
    }
}

/// Two seconds of video; bytes of media, with this many requests each millisecond.
fn streamed(requests: u32) -> usize {
    let mut both = Both::in_epoch(1);
    let mut media = 0;
    for frame in 1..=60 {
        both.frame(8000);
        for _ in 0..33 {
            media += both.media(MS);
            for _ in 0..requests {
                let entries: Vec<_> = (0..4).map(|back: u32| entry(frame - back.min(frame), 0, 33)).collect();
                assert_eq!(both.hear(|out| out.put(&feedback(4, &entries))), Ok(()));
            }
        }
    }
    media
}

#[test]
fn a_storm_of_requests_does_not_push_the_camera_over_its_rate() {
    let (alone, asked) = (streamed(0), streamed(5));
    std::println!("{alone} bytes of media without requests, {asked} with 5 in each millisecond");
    assert!(alone >= 60 * 8000);
    assert!(asked * 4 <= alone * 5);
}
