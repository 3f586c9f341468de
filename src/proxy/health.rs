//! `tidegate health`: whether the running proxy greets its clients. Made for container health checks.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use thiserror::Error;

use crate::net::settings::{Address, ListenSettings};
use crate::wire::fault::ErrPacket;
use crate::wire::frame::{HEADER, Header};
use crate::wire::handshake::Greeting;

/// A look that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(3);

/// A greeting has some 100 bytes; what claims to be longer than this is none.
const MAX_GREETING: usize = 4096;

/// Says to a listener that expects a PROXY header: this is the sender itself.
const PROXY_HEADER: &[u8] = b"PROXY UNKNOWN\r\n";

/// Why the proxy does not look healthy.
#[derive(Debug, Error)]
pub enum HealthError {
    /// No connection, or it broke.
    #[error("{address}: {source}")]
    Io {
        /// As configured.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing, or only a part of it, came in time.
    #[error("{address}: no greeting within {LIMIT:?}")]
    TimedOut {
        /// As configured.
        address: String,
    },
    /// tidegate or the backend refuses clients.
    #[error("{address}: {text}")]
    Refused {
        /// As configured.
        address: String,
        /// The refusal.
        text: String,
    },
    /// Somebody else listens there.
    #[error("{address}: what answers there is no MySQL server")]
    Stranger {
        /// As configured.
        address: String,
    },
}

/// Connects to the first listen address, reads the greeting, and leaves. Returns what to print. Blocks for at most 3 s.
///
/// Once the proxy knows the backend's greeting, this costs the backend nothing.
///
/// # Errors
/// No greeting came.
pub fn look(settings: &ListenSettings) -> Result<String, HealthError> {
    let Some(address) = settings.addresses.first().cloned() else {
        let source = io::Error::new(io::ErrorKind::NotFound, "no listen.address");
        return Err(HealthError::Io { address: String::new(), source });
    };
    let name = address.to_string();
    let settings = settings.clone();
    let (tell, told) = mpsc::channel();
    // A name look-up has no limit of its own, and many small reads have none together: the thread is left behind.
    thread::spawn(move || tell.send(first_packet(&address, &settings)));
    let payload = match told.recv_timeout(LIMIT) {
        Ok(read) => read.map_err(|source| failed(&name, source))?,
        Err(_) => return Err(HealthError::TimedOut { address: name }),
    };
    judge(name, &payload)
}

fn judge(address: String, payload: &[u8]) -> Result<String, HealthError> {
    if let Some(refused) = ErrPacket::parse(payload) {
        return Err(HealthError::Refused { address, text: format!("ERR {} {}", refused.code, refused.text()) });
    }
    match Greeting::parse(payload) {
        Some(greeting) => Ok(format!("ok: {address} greets as {}", String::from_utf8_lossy(&greeting.version))),
        None => Err(HealthError::Stranger { address }),
    }
}

fn failed(address: &str, source: io::Error) -> HealthError {
    let address = address.to_owned();
    match source.kind() {
        io::ErrorKind::InvalidData => HealthError::Stranger { address },
        _ => HealthError::Io { address, source },
    }
}

fn first_packet(address: &Address, settings: &ListenSettings) -> io::Result<Vec<u8>> {
    match address {
        Address::Unix(path) => read_packet(UnixStream::connect(path)?),
        Address::Tcp(name) => {
            let target = reachable(name.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?);
            let mut stream = TcpStream::connect(target)?;
            let own = stream.local_addr()?.ip();
            if settings.proxy_protocol_from.iter().any(|range| range.contains(own)) {
                stream.write_all(PROXY_HEADER)?;
            }
            read_packet(stream)
        }
    }
}

/// Who listens on all addresses is reached on the loopback one.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, listen.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, listen.port())),
        _ => listen,
    }
}

fn read_packet(mut stream: impl Read) -> io::Result<Vec<u8>> {
    let mut head = [0; HEADER];
    stream.read_exact(&mut head)?;
    let len = Header::read(&head).map_or(0, |header| header.len);
    if len > MAX_GREETING {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload)?;
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_means_loopback() {
        let reached = |listen: &str| reachable(listen.parse().expect("address")).to_string();
        assert_eq!(reached("0.0.0.0:6033"), "127.0.0.1:6033");
        assert_eq!(reached("[::]:6033"), "[::1]:6033");
        assert_eq!(reached("10.0.0.7:6033"), "10.0.0.7:6033");
    }

    #[test]
    fn only_a_greeting_is_healthy() {
        let refusal = ErrPacket::new(1040, b"08004", "Too many connections").before_greeting().payload();
        let error = judge("here".into(), &refusal).expect_err("a refusal");
        assert_eq!(error.to_string(), "here: ERR 1040 Too many connections");
        assert!(matches!(judge("here".into(), b"HTTP/1.1 400"), Err(HealthError::Stranger { .. })));
    }
}
