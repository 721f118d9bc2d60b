//! Looking names up, which may block for half a minute: at once ([`lookup`]), or beside the program's loop
//! ([`Resolver`]).

use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::confinement::Confinement;
use crate::exit::{Exit, Failure, Result};
use crate::host_port::HostPort;
use crate::wait::Waker;

/// The addresses of `place`, best first, at least one. Blocks unless the host is an address.
///
/// # Errors
/// [`Exit::Network`]: there is no such name, or nobody to ask.
pub fn lookup(place: &HostPort) -> Result<Vec<SocketAddr>> {
    if let Some(address) = place.literal() {
        return Ok(vec![address]);
    }
    let host = place.host();
    let failure = |why: &str| {
        let advice = "Check its spelling and this machine's network and DNS, or give the address itself";
        let mdns =
            if host.ends_with(".local") { " (names in .local need mDNS: package libnss-mdns)" } else { "" };
        Failure::new(Exit::Network, format!("Cannot find the address of {host}: {why}. {advice}{mdns}."))
    };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in (host, place.port()).to_socket_addrs().map_err(|error| failure(&error.to_string()))? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(failure("it has none")) } else { Ok(addresses) }
}

/// A look-up that was asked for and is done.
pub type Resolved = (HostPort, Result<Vec<SocketAddr>>);

/// A thread that looks names up, one at a time, and may do nothing else. Wait for it as for a file descriptor, then
/// [`Resolver::take`].
///
/// It ends when the value is dropped, or once the look-up that it is busy with is over.
#[derive(Debug)]
pub struct Resolver {
    requests: Sender<HostPort>,
    results: Receiver<Resolved>,
    waker: Waker,
}

impl Resolver {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`Exit::Other`] if the system gives no thread or no eventfd.
    pub fn start() -> Result<Self> {
        let (requests, asked) = channel();
        let (done, results) = channel();
        let waker = Waker::new()?;
        let theirs = waker.clone();
        let started =
            thread::Builder::new().name("resolver".into()).spawn(move || work(&asked, &done, &theirs));
        started.map_err(|error| Failure::new(Exit::Other, format!("Cannot start a thread: {error}.")))?;
        Ok(Self { requests, results, waker })
    }

    /// Asks for the addresses of `place`. Requests that wait while the thread is busy are replaced by the newest:
    /// compare the place in the result.
    pub fn ask(&self, place: HostPort) {
        // It can fail only if the thread is gone, and it goes only when this value does.
        let _ = self.requests.send(place);
    }

    /// The oldest result that was not taken yet. Call it until it says `None` when the file descriptor is ready.
    pub fn take(&self) -> Option<Resolved> {
        self.waker.clear();
        self.results.try_recv().ok()
    }
}

impl AsFd for Resolver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }
}

fn work(asked: &Receiver<HostPort>, done: &Sender<Resolved>, waker: &Waker) {
    // What the kernel lacks is told by the thread that starts this one.
    let _entered = Confinement::new().looks_names_up().enter();
    while let Ok(first) = asked.recv() {
        let place = asked.try_iter().last().unwrap_or(first);
        let addresses = lookup(&place);
        if done.send((place, addresses)).is_err() {
            return;
        }
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::Waiter;

    fn place(text: &str) -> HostPort {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_taken_as_they_are() {
        assert_eq!(lookup(&place("192.0.2.7:5000")).unwrap(), ["192.0.2.7:5000".parse().unwrap()]);
        assert_eq!(lookup(&place("[2001:db8::7]:1")).unwrap(), ["[2001:db8::7]:1".parse().unwrap()]);
    }

    #[test]
    fn names_of_this_machine_are_found() {
        let addresses = lookup(&place("localhost:5000")).unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 5000));
        assert!(!addresses.is_empty());
    }

    #[test]
    fn unknown_name_says_what_to_check() {
        // RFC 6761 reserves .invalid: no resolver may know it.
        let failure = lookup(&place("nobody.invalid:5000")).unwrap_err();
        assert_eq!(failure.exit, Exit::Network);
        assert!(failure.message.starts_with("Cannot find the address of nobody.invalid: "), "{failure}");
    }

    #[test]
    fn resolver_wakes_the_waiter_with_its_result() {
        let waiter = Waiter::new().unwrap();
        let resolver = Resolver::start().unwrap();
        assert!(resolver.take().is_none());
        resolver.ask(place("127.0.0.1:9"));
        let (asked, addresses) = loop {
            let ready = waiter.wait([Some(resolver.as_fd())], None).unwrap();
            if let Some(resolved) = resolver.take() {
                assert_eq!(ready.fds, [true]);
                break resolved;
            }
        };
        assert_eq!((asked, addresses), (place("127.0.0.1:9"), Ok(vec!["127.0.0.1:9".parse().unwrap()])));
        assert!(resolver.take().is_none());
    }

    #[test]
    fn newest_request_is_always_answered_last() {
        let waiter = Waiter::new().unwrap();
        let resolver = Resolver::start().unwrap();
        for port in 1..=50 {
            resolver.ask(place(&format!("127.0.0.1:{port}")));
        }
        let mut answered = Vec::new();
        while answered.last() != Some(&50) {
            let _ = waiter.wait([Some(resolver.as_fd())], None).unwrap();
            answered.extend(std::iter::from_fn(|| resolver.take()).map(|(place, _)| place.port()));
        }
        assert!(answered.is_sorted());
    }
}
