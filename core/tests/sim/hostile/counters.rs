//! Every packet as its end sealed it: no two under one key and counter (docs/protocol.md §7, §8, §14).

use std::collections::BTreeMap;

use crate::world::network::Heading;

/// What was sealed last in one session: the end that did it, as which start of its program, to which CID.
#[derive(Default)]
pub(super) struct Counters {
    last: BTreeMap<(Heading, u32, u32), (u64, u32)>,
}

impl Counters {
    /// Takes a DATA datagram, in the order in which they are sealed. A key is known by its session, direction and
    /// epoch; under each the counters only grow, so none comes twice. Says to which CID it goes, and
    /// in which epoch.
    pub(super) fn sealed(&mut self, heading: Heading, start: u32, datagram: &[u8]) -> (u32, u64) {
        let (cid, kid, ctr) = header(datagram);
        let Some((epoch, last)) = self.last.get_mut(&(heading, start, cid)) else {
            assert_eq!(kid, 0, "{heading:?}: a session begins in epoch 0");
            self.last.insert((heading, start, cid), (0, ctr));
            return (cid, 0);
        };
        // KID is the epoch mod 8, and an end that sealed in one epoch seals in no older one again.
        let ahead = (kid + 8 - u8::try_from(*epoch % 8).unwrap()) % 8;
        assert!(ahead <= 1, "{heading:?}: KID {kid} after epoch {epoch}");
        let epoch_began = ahead == 1;
        assert!(
            epoch_began || ctr > *last,
            "{heading:?}: counter {ctr} after {last} in epoch {epoch} of {cid:#x}"
        );
        *epoch += u64::from(ahead);
        *last = ctr;
        (cid, *epoch)
    }
}

/// CID, KID and CTR (§7).
pub(super) fn header(datagram: &[u8]) -> (u32, u8, u32) {
    let cid = u32::from_be_bytes(*datagram[1..].first_chunk().unwrap());
    let config = datagram[5];
    let ctr = match config & 0x08 {
        0 => u32::from(config & 7),
        _ => {
            let bytes = &datagram[6..7 + usize::from(config & 7)];
            bytes.iter().fold(0, |ctr, byte| ctr << 8 | u32::from(*byte))
        }
    };
    (cid, config >> 4, ctr)
}
