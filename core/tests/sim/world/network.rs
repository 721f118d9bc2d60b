//! The network: each direction of each camera's path loses, delays, doubles, damages and reorders as it is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::Rng;

/// Which way a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Heading {
    /// From a camera to the display.
    Up,
    /// From the display to a camera.
    Down,
}

impl Heading {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// One direction of one camera's path. Probabilities are per datagram.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    pub(crate) delay: Duration,
    /// Each datagram takes up to so much longer; they overtake each other unless `in_order`.
    pub(crate) jitter: Duration,
    pub(crate) in_order: bool,
    pub(crate) loss: f64,
    /// Mean length of the outages that `loss` comes in; zero: each datagram is lost for itself.
    pub(crate) burst: Duration,
    pub(crate) duplicate: f64,
    /// One bit, anywhere.
    pub(crate) corrupt: f64,
    /// Nothing gets through.
    pub(crate) cut: bool,
    losing: bool,
    phase_ends: Duration,
    last_arrival: Duration,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(1),
            jitter: Duration::ZERO,
            in_order: true,
            loss: 0.0,
            burst: Duration::ZERO,
            duplicate: 0.0,
            corrupt: 0.0,
            cut: false,
            losing: false,
            phase_ends: Duration::ZERO,
            last_arrival: Duration::ZERO,
        }
    }
}

impl Path {
    /// The times at which copies of a datagram arrive.
    fn arrivals(&mut self, now: Duration, dice: &mut ChaCha20Rng) -> Vec<Duration> {
        if self.cut || self.loses(now, dice) {
            return Vec::new();
        }
        let copies = if chance(dice, self.duplicate) { 2 } else { 1 };
        (0..copies).map(|_| self.arrival(now, dice)).collect()
    }

    fn arrival(&mut self, now: Duration, dice: &mut ChaCha20Rng) -> Duration {
        let at = now + self.delay + self.jitter.mul_f64(unit(dice));
        let at = if self.in_order { at.max(self.last_arrival) } else { at };
        self.last_arrival = at;
        at
    }

    /// Independent, or in outages after Gilbert: two states that last exponentially long, one of which loses all.
    ///
    /// They last in time, not in datagrams: a path with little traffic is not out for seconds.
    fn loses(&mut self, now: Duration, dice: &mut ChaCha20Rng) -> bool {
        if self.burst.is_zero() || self.loss <= 0.0 {
            return chance(dice, self.loss);
        }
        if now > self.phase_ends + self.burst * 100 {
            // Long ago: the state of then says nothing of now.
            self.begin_phase(now, chance(dice, self.loss), dice);
        }
        while self.phase_ends <= now {
            self.begin_phase(self.phase_ends, !self.losing, dice);
        }
        self.losing
    }

    fn begin_phase(&mut self, at: Duration, losing: bool, dice: &mut ChaCha20Rng) {
        let mean = if losing { 1.0 } else { (1.0 - self.loss) / self.loss };
        self.losing = losing;
        self.phase_ends = at + self.burst.mul_f64(mean * exponential(dice));
    }
}

/// A camera's way to the display and back.
#[derive(Debug, Default)]
pub(crate) struct Route {
    pub(crate) up: Path,
    pub(crate) down: Path,
    rebound: u16,
}

/// A datagram as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    pub(crate) at: Duration,
    pub(crate) heading: Heading,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// Somebody on the path who may alter a datagram, or drop it by saying false.
pub(crate) type Meddler = Box<dyn FnMut(Heading, &mut Vec<u8>) -> bool>;

/// All of it.
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) routes: Vec<Route>,
    addresses: Vec<SocketAddr>,
    /// Everything that was sent, while somebody listens.
    pub(crate) tap: Option<Vec<Captured>>,
    pub(crate) meddler: Option<Meddler>,
    /// Datagrams to addresses where no camera is.
    pub(crate) stray: Vec<(SocketAddr, Vec<u8>)>,
}

impl Network {
    pub(crate) fn add_camera(&mut self, id: usize) -> SocketAddr {
        assert_eq!(id, self.routes.len());
        self.routes.push(Route::default());
        let host = u8::try_from(id + 1).unwrap();
        let address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, host), 40_000));
        self.addresses.push(address);
        address
    }

    /// Another port at the camera's NAT.
    pub(crate) fn rebind(&mut self, id: usize) -> SocketAddr {
        self.routes[id].rebound += 1;
        let port = 40_000 + self.routes[id].rebound;
        self.addresses[id].set_port(port);
        self.addresses[id]
    }

    /// What becomes of one datagram: when its copies arrive, and as what.
    pub(crate) fn carry(
        &mut self,
        now: Duration,
        heading: Heading,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        dice: &mut ChaCha20Rng,
    ) -> Vec<(Duration, Vec<u8>)> {
        if let Some(tap) = &mut self.tap {
            tap.push(Captured { at: now, heading, from, to, bytes: bytes.to_vec() });
        }
        let mut bytes = bytes.to_vec();
        if self.meddler.as_mut().is_some_and(|meddler| !meddler(heading, &mut bytes)) {
            return Vec::new();
        }
        // An address is known by its host: ports change, routes stay.
        let far = if heading == Heading::Up { from } else { to };
        let Some(id) = self.addresses.iter().position(|address| address.ip() == far.ip()) else {
            self.stray.push((to, bytes));
            return Vec::new();
        };
        let route = &mut self.routes[id];
        let path = if heading == Heading::Up { &mut route.up } else { &mut route.down };
        let arrivals = path.arrivals(now, dice);
        let corrupt = path.corrupt;
        arrivals
            .into_iter()
            .map(|at| {
                let mut copy = bytes.clone();
                if chance(dice, corrupt) {
                    let bit = below(dice, copy.len() * 8);
                    copy[bit / 8] ^= 1 << (bit % 8);
                }
                (at, copy)
            })
            .collect()
    }
}

/// A number from 0 up to 1.
pub(crate) fn unit(dice: &mut ChaCha20Rng) -> f64 {
    f64::from(dice.next_u32()) / (f64::from(u32::MAX) + 1.0)
}

/// Exponentially distributed with mean 1, by comparisons alone (von Neumann 1951): the same on every machine.
fn exponential(dice: &mut ChaCha20Rng) -> f64 {
    let mut whole = 0.0;
    loop {
        let first = unit(dice);
        let (mut last, mut odd) = (first, true);
        loop {
            let next = unit(dice);
            if next > last {
                break;
            }
            (last, odd) = (next, !odd);
        }
        if odd {
            return whole + first;
        }
        whole += 1.0;
    }
}

pub(crate) fn chance(dice: &mut ChaCha20Rng, probability: f64) -> bool {
    probability > 0.0 && unit(dice) < probability
}

/// A number below `limit`.
pub(crate) fn below(dice: &mut ChaCha20Rng, limit: usize) -> usize {
    usize::try_from(dice.next_u64() % u64::try_from(limit).unwrap()).unwrap()
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;

    /// The share lost of many datagrams that far apart, and how many were lost in a row at most.
    fn lost(loss: f64, burst: Duration, apart: Duration) -> (f64, u32) {
        let mut dice = ChaCha20Rng::seed_from_u64(7);
        let mut path = Path { loss, burst, ..Path::default() };
        let (mut all, mut row, mut longest) = (0, 0, 0);
        for count in 0..100_000 {
            row = if path.loses(apart * count, &mut dice) { row + 1 } else { 0 };
            all += u32::from(row > 0);
            longest = longest.max(row);
        }
        (f64::from(all) / 100_000.0, longest)
    }

    #[test]
    fn a_path_loses_the_share_that_it_is_told_to_lose() {
        let ms = Duration::from_millis;
        for loss in [0.01, 0.05, 0.3] {
            for (burst, apart) in [(0, 1), (0, 1000), (4, 1), (30, 250), (30, 100_000)] {
                let (share, _) = lost(loss, ms(burst), ms(apart));
                assert!((share - loss).abs() < loss / 4.0, "{loss} in {burst} ms, {apart} ms apart: {share}");
            }
        }
        let (_, alone) = lost(0.05, ms(0), ms(1));
        let (_, together) = lost(0.05, ms(20), ms(1));
        assert!(alone < 10 && together > 40, "{alone} and {together} in a row");
    }
}
