//! Where a display is, as people write it: `host:port`, an IPv6 address in brackets.
//!
//! Looking the host up is [`crate::resolve`]'s.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The longest name that DNS has.
const HOST_MAX: usize = 253;

/// A host, by name or address, and a UDP port. `Display` and `FromStr` are inverse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// A name, an IPv4 address or an IPv6 address without brackets (maybe with `%interface`).
    host: String,
    port: u16,
}

impl HostPort {
    /// The host: a name, an IPv4 address or an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The socket address, if the host is an address and no look-up is needed.
    #[must_use]
    pub fn literal(&self) -> Option<SocketAddr> {
        self.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, self.port))
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl FromStr for HostPort {
    /// What is wrong with it and how it should look: a sentence without its full stop.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "it should look like display.local:5000, 192.168.1.20:5000 or [2001:db8::20]:5000";
        let wrong = |what: &str| format!("{what}; {example}");
        let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("the port is missing"))?;
        let host = match host.strip_prefix('[') {
            Some(bracketed) => {
                let v6 =
                    bracketed.strip_suffix(']').ok_or_else(|| wrong("the port must follow the bracket"))?;
                let address = v6.split_once('%').map_or(v6, |(address, _)| address);
                address.parse::<Ipv6Addr>().map_err(|_| wrong("no IPv6 address stands in the brackets"))?;
                v6
            }
            None if host.contains(':') => return Err(wrong("an IPv6 address needs brackets and a port")),
            None => host,
        };
        let port = port.parse().ok().filter(|&port| port != 0);
        let port = port.ok_or_else(|| wrong("the port is not a number from 1 to 65535"))?;
        if host.is_empty() {
            return Err(wrong("the host is missing"));
        }
        if host.len() > HOST_MAX || !host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:%".contains(c)) {
            return Err(wrong("the host is neither a name nor an address"));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_parsed_and_printed_alike() {
        for text in ["display.local:5000", "10.0.0.1:1", "[::1]:65535", "[fe80::1%eth0]:5000", "my_pi-2:5000"]
        {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        assert_eq!("[::1]:5000".parse::<HostPort>().unwrap().host(), "::1");
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        for text in [
            "",
            "display",
            "display:",
            ":5000",
            "display:0",
            "display:65536",
            "display:-1",
            "::1:5000",
            "[::1]",
            "[::1:5000",
            "[display]:5000",
            "[]:5000",
            "a b:5000",
            "a\n:5000",
            "http://display:5000",
            "é:5000",
        ] {
            assert!(text.parse::<HostPort>().unwrap_err().contains("display.local:5000"), "{text:?}");
        }
        assert!(format!("{}:1", "a".repeat(254)).parse::<HostPort>().is_err());
    }

    #[test]
    fn literal_addresses_need_no_look_up() {
        let literal = |text: &str| text.parse::<HostPort>().unwrap().literal();
        assert_eq!(literal("[::1]:5000"), Some("[::1]:5000".parse().unwrap()));
        assert_eq!(literal("10.0.0.1:7"), Some("10.0.0.1:7".parse().unwrap()));
        assert_eq!(literal("display:5000"), None);
    }
}
