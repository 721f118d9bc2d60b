//! A USB host at the other end of the socket: writes what the kernel would write, reads what it would read.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// One end of the cable.
pub(crate) struct Host {
    link: UnixStream,
    last: u32,
    /// Transfers on endpoint 1 that no answer has come for.
    waiting: BTreeSet<u32>,
    /// The request under way that writes: the length in its answer is how much was taken, and no data follows.
    writing: Option<u32>,
}

/// A transfer that is over.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) seqnum: u32,
    pub(crate) status: i32,
    /// One for each isochronous packet, or the one of another transfer.
    pub(crate) payloads: Vec<Vec<u8>>,
}

/// A message of the camera.
enum Answer {
    Completed(Done),
    Unlinked(u32, i32),
}

impl Host {
    pub(crate) fn new(link: UnixStream) -> Self {
        Self { link, last: 0, waiting: BTreeSet::new(), writing: None }
    }

    /// A control request that reads.
    pub(crate) fn get(
        &mut self,
        kind: u8,
        request: u8,
        value: u16,
        index: u16,
        len: u16,
    ) -> Result<Vec<u8>, i32> {
        let setup = setup(kind, request, value, index, len);
        let done = self.control(1, u32::from(len), setup, &[]);
        if done.status == 0 { Ok(done.payloads.concat()) } else { Err(done.status) }
    }

    /// A control request that writes, or does neither.
    pub(crate) fn set(
        &mut self,
        kind: u8,
        request: u8,
        value: u16,
        index: u16,
        data: &[u8],
    ) -> Result<(), i32> {
        let setup = setup(kind, request, value, index, data.len() as u16);
        let done = self.control(0, data.len() as u32, setup, data);
        if done.status == 0 { Ok(()) } else { Err(done.status) }
    }

    /// A transfer from an endpoint, of so many isochronous packets or none. Returns its number.
    pub(crate) fn submit(&mut self, endpoint: u32, packets: u32, len: u32) -> u32 {
        let seqnum = self.number();
        let mut message = header(1, seqnum, [1, endpoint, 0, len, 0, packets, 1]);
        message.extend([0; 8]);
        let room = len.checked_div(packets).unwrap_or(0);
        for at in 0..packets {
            message.extend([at * room, room, 0, 0].into_iter().flat_map(u32::to_be_bytes));
        }
        self.send(&message);
        if endpoint == 1 {
            self.waiting.insert(seqnum);
        }
        seqnum
    }

    /// The next transfer that is over.
    pub(crate) fn completion(&mut self) -> Done {
        match self.answer() {
            Answer::Completed(done) => done,
            Answer::Unlinked(seqnum, _) => panic!("nothing was to be taken back by {seqnum}"),
        }
    }

    /// Takes a transfer back and returns the status of that; completions that come before are dropped.
    pub(crate) fn unlink(&mut self, victim: u32) -> i32 {
        let seqnum = self.number();
        let mut message = header(2, seqnum, [0, 0, victim, 0, 0, 0, 0]);
        message.extend([0; 8]);
        self.send(&message);
        self.waiting.remove(&victim);
        loop {
            if let Answer::Unlinked(answered, status) = self.answer() {
                assert_eq!(answered, seqnum);
                return status;
            }
        }
    }

    /// As a driver does when nobody wants pictures any more.
    pub(crate) fn take_all_back(&mut self) {
        while let Some(victim) = self.waiting.first().copied() {
            self.unlink(victim);
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.link.write_all(bytes).unwrap();
    }

    fn control(&mut self, direction: u32, len: u32, setup: [u8; 8], data: &[u8]) -> Done {
        let seqnum = self.number();
        let mut message = header(1, seqnum, [direction, 0, 0, len, 0, 0, 0]);
        message.extend(setup);
        message.extend(data);
        self.writing = (direction == 0).then_some(seqnum);
        self.send(&message);
        let done = self.completion();
        assert_eq!(done.seqnum, seqnum);
        done
    }

    fn answer(&mut self) -> Answer {
        let head = self.numbers(12);
        let (seqnum, status) = (head[1], head[5] as i32);
        match head[0] {
            4 => return Answer::Unlinked(seqnum, status),
            command => assert_eq!(command, 3),
        }
        self.waiting.remove(&seqnum);
        let (len, packets, errors) = (head[6] as usize, head[8] as usize, head[9]);
        let mut data = vec![0; if self.writing == Some(seqnum) { 0 } else { len }];
        self.link.read_exact(&mut data).unwrap();
        let mut payloads = Vec::new();
        let mut rest = &data[..];
        for _ in 0..packets {
            let descriptor = self.numbers(4);
            assert_eq!((descriptor[3], errors), (0, 0));
            let (payload, later) = rest.split_at(descriptor[2] as usize);
            payloads.push(payload.to_vec());
            rest = later;
        }
        if packets > 0 {
            assert!(rest.is_empty(), "the packets' lengths make up the whole");
        } else {
            payloads.push(data);
        }
        Answer::Completed(Done { seqnum, status, payloads })
    }

    fn numbers(&mut self, count: usize) -> Vec<u32> {
        let mut bytes = vec![0; count * 4];
        self.link.read_exact(&mut bytes).unwrap();
        bytes.chunks(4).map(|quad| u32::from_be_bytes(quad.try_into().unwrap())).collect()
    }

    fn number(&mut self) -> u32 {
        self.last += 1;
        self.last
    }
}

/// Ten numbers; the setup packet or nothing of meaning makes up the rest.
fn header(command: u32, seqnum: u32, fields: [u32; 7]) -> Vec<u8> {
    let [direction, endpoint, rest @ ..] = fields;
    let head = [command, seqnum, 0x10002, direction, endpoint].into_iter().chain(rest);
    head.flat_map(u32::to_be_bytes).collect()
}

fn setup(kind: u8, request: u8, value: u16, index: u16, len: u16) -> [u8; 8] {
    let ([v0, v1], [i0, i1], [l0, l1]) = (value.to_le_bytes(), index.to_le_bytes(), len.to_le_bytes());
    [kind, request, v0, v1, i0, i1, l0, l1]
}
