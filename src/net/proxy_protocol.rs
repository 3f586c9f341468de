//! The PROXY protocol, versions 1 and 2: who the client is, told by a load balancer in front, or told to the server
//! behind.
//!
//! Source: "The PROXY protocol, versions 1 & 2" (HAProxy project).

use std::net::{IpAddr, SocketAddr};

use ppp::{v1, v2};

use super::settings::{Peer, SendProxyProtocol};

/// The most bytes that a version 1 header may have, its CRLF included.
pub const MAX_V1_LEN: usize = 107;
/// The most bytes of a version 2 header that are accepted: addresses and a few kilobytes of extensions (which are
/// skipped).
pub const MAX_V2_LEN: usize = 4096;

const V1_PREFIX: &[u8] = b"PROXY";
const V2_PREFIX: &[u8] = v2::PROTOCOL_PREFIX;
const V2_FIXED_LEN: usize = 16;

/// What a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// Cannot be told yet.
    Incomplete {
        /// With fewer bytes than these, counted from the beginning, nothing more can be told.
        needed: usize,
    },
    /// A header.
    Header {
        /// Where the client is.
        source: Source,
        /// Bytes of the header; the client's own begin behind.
        length: usize,
    },
    /// Something else than a PROXY header.
    Absent,
    /// It began as a header but is none, for this reason.
    Invalid(&'static str),
}

/// Where a client is, as a header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// There.
    Peer(Peer),
    /// The header speaks for the one who sent it (`LOCAL`, a health check), or does not know (`UNKNOWN`): the
    /// connection's own address counts.
    Connection,
}

/// Looks at the first bytes of a connection: call again with more while it says [`Parsed::Incomplete`].
///
/// Never asks for more than [`MAX_V2_LEN`] bytes. MySQL clients say nothing before the server does, so the first byte
/// tells whether there is a header.
pub fn parse(bytes: &[u8]) -> Parsed {
    match (starts(V2_PREFIX, bytes), starts(V1_PREFIX, bytes)) {
        (true, _) => parse_v2(bytes),
        (_, true) => parse_v1(bytes),
        _ => Parsed::Absent,
    }
}

/// The header that tells the server about a client, in the form that was asked for; `None` for `off`.
///
/// `listener` is the address that the client connected to. A client on a Unix socket has no address: the header then
/// says so, and the server takes tidegate's own.
pub fn header(form: SendProxyProtocol, client: Peer, listener: Option<SocketAddr>) -> Option<Vec<u8>> {
    let addresses = match (client, listener) {
        (Peer::Tcp(source), Some(destination)) => Some(same_family(source, destination)),
        (Peer::Tcp(source), None) => Some((source, unspecified_like(source))),
        (Peer::Unix, _) => None,
    };
    match form {
        SendProxyProtocol::Off => None,
        SendProxyProtocol::V1 => Some(write_v1(addresses)),
        SendProxyProtocol::V2 => Some(write_v2(addresses)),
    }
}

/// Whether `bytes` begins with `prefix`, as far as it goes.
fn starts(prefix: &[u8], bytes: &[u8]) -> bool {
    bytes.iter().zip(prefix).all(|(a, b)| a == b)
}

fn parse_v1(bytes: &[u8]) -> Parsed {
    let window = &bytes[..bytes.len().min(MAX_V1_LEN)];
    let Some(end) = memchr::memmem::find(window, b"\r\n") else {
        return match bytes.len() < MAX_V1_LEN {
            true => Parsed::Incomplete { needed: (bytes.len() + 1).max(V1_PREFIX.len() + 1) },
            false => Parsed::Invalid("no end of line within 107 bytes"),
        };
    };
    let length = end + 2;
    match v1_source(&bytes[..length]) {
        Some(source) => Parsed::Header { source, length },
        None => Parsed::Invalid("malformed version 1 line"),
    }
}

/// What follows UNKNOWN is to be ignored, whatever it is.
fn v1_source(line: &[u8]) -> Option<Source> {
    if let Some(rest) = line.strip_prefix(b"PROXY UNKNOWN") {
        return matches!(rest.first(), Some(b' ' | b'\r')).then_some(Source::Connection);
    }
    let header = v1::Header::try_from(line).ok()?;
    match header.addresses {
        v1::Addresses::Tcp4(ip) => Some(tcp(ip.source_address, ip.source_port)),
        v1::Addresses::Tcp6(ip) => Some(tcp(ip.source_address, ip.source_port)),
        v1::Addresses::Unknown => Some(Source::Connection),
    }
}

fn parse_v2(bytes: &[u8]) -> Parsed {
    let Some(fixed) = bytes.first_chunk::<V2_FIXED_LEN>() else {
        return Parsed::Incomplete { needed: V2_FIXED_LEN };
    };
    let length = V2_FIXED_LEN + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > MAX_V2_LEN {
        return Parsed::Invalid("version 2 header longer than 4096 bytes");
    }
    if fixed[12] == 0x20 {
        return match bytes.len() < length {
            true => Parsed::Incomplete { needed: length },
            false => Parsed::Header { source: Source::Connection, length },
        };
    }
    if bytes.len() < length {
        return Parsed::Incomplete { needed: length };
    }
    match v2_source(&bytes[..length]) {
        Some(source) => Parsed::Header { source, length },
        None => Parsed::Invalid("malformed version 2 header"),
    }
}

fn v2_source(bytes: &[u8]) -> Option<Source> {
    let header = v2::Header::try_from(bytes).ok()?;
    match (header.addresses, header.protocol) {
        (v2::Addresses::Unspecified, _) | (_, v2::Protocol::Unspecified) => Some(Source::Connection),
        (_, v2::Protocol::Datagram) => None,
        (v2::Addresses::IPv4(ip), _) => Some(tcp(ip.source_address, ip.source_port)),
        (v2::Addresses::IPv6(ip), _) => Some(tcp(ip.source_address, ip.source_port)),
        (v2::Addresses::Unix(_), _) => Some(Source::Peer(Peer::Unix)),
    }
}

/// An IPv4 address mapped into IPv6 counts as IPv4.
fn tcp(ip: impl Into<IpAddr>, port: u16) -> Source {
    let ip: IpAddr = ip.into();
    Source::Peer(Peer::Tcp(SocketAddr::new(ip.to_canonical(), port)))
}

type Addresses = (SocketAddr, SocketAddr);

fn write_v1(addresses: Option<Addresses>) -> Vec<u8> {
    let Some((source, destination)) = addresses else {
        return b"PROXY UNKNOWN\r\n".to_vec();
    };
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    format!("PROXY {family} {} {} {} {}\r\n", source.ip(), destination.ip(), source.port(), destination.port())
        .into_bytes()
}

fn write_v2(addresses: Option<Addresses>) -> Vec<u8> {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    const STREAM: u8 = 1;
    let Some((source, destination)) = addresses else {
        return [V2_PREFIX, &[LOCAL, 0, 0, 0]].concat();
    };
    let (family, ips) = match (source.ip(), destination.ip()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (0x10, [a.octets(), b.octets()].concat()),
        (a, b) => (0x20, [v6(a), v6(b)].concat()),
    };
    let len = ips.len() as u8 + 4;
    [
        V2_PREFIX,
        &[PROXY, family | STREAM, 0, len],
        &ips,
        &source.port().to_be_bytes(),
        &destination.port().to_be_bytes(),
    ]
    .concat()
}

/// A header has one family for both: IPv4, if both are, else IPv6.
fn same_family(source: SocketAddr, destination: SocketAddr) -> Addresses {
    let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
    let (source, destination) = (canonical(source), canonical(destination));
    if source.is_ipv4() == destination.is_ipv4() {
        return (source, destination);
    }
    let as_v6 = |a: SocketAddr| SocketAddr::new(IpAddr::from(v6(a.ip())), a.port());
    (as_v6(source), as_v6(destination))
}

fn unspecified_like(source: SocketAddr) -> SocketAddr {
    let ip = match source {
        SocketAddr::V4(_) => IpAddr::from([0; 4]),
        SocketAddr::V6(_) => IpAddr::from([0; 16]),
    };
    SocketAddr::new(ip, 0)
}

fn v6(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Source {
        Source::Peer(Peer::Tcp(text.parse().expect("address")))
    }

    fn header_of(bytes: &[u8]) -> (Source, usize) {
        match parse(bytes) {
            Parsed::Header { source, length } => (source, length),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn version_1_lines() {
        for (line, source) in [
            ("PROXY TCP4 192.0.2.7 192.0.2.1 51234 3306\r\n", at("192.0.2.7:51234")),
            ("PROXY TCP6 2001:db8::7 2001:db8::1 51234 3306\r\n", at("[2001:db8::7]:51234")),
            ("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", at("192.0.2.7:1")),
            ("PROXY UNKNOWN\r\n", Source::Connection),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2 and more of it\r\n", Source::Connection),
        ] {
            let bytes = [line.as_bytes(), b"\x20\0\0\x01 handshake"].concat();
            assert_eq!(header_of(&bytes), (source, line.len()), "{line}");
        }
    }

    #[test]
    fn malformed_version_1_lines() {
        for line in [
            "PROXY TCP4 192.0.2.7 192.0.2.1 51234\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 51234 99999\r\n",
            "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n",
            "PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXYTCP4 192.0.2.7 192.0.2.1 1 2\r\n",
            "PROXY \r\n",
            "PROXY\r\n",
        ] {
            assert!(matches!(parse(line.as_bytes()), Parsed::Invalid(_)), "{line}");
        }
        let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        assert!(matches!(parse(&endless), Parsed::Invalid(_)));
        assert!(matches!(parse(&endless[..106]), Parsed::Incomplete { needed: 107 }));
    }

    #[test]
    fn version_2_headers() {
        let v4 = v2_bytes(0x21, 0x11, &[192, 0, 2, 7, 192, 0, 2, 1, 0xc8, 0x22, 0x0c, 0xea]);
        assert_eq!(header_of(&v4), (at("192.0.2.7:51234"), 28));
        let with_extension = [v4[12..].to_vec(), vec![3, 0, 4, 1, 2, 3, 4]].concat();
        let with_extension = v2_bytes(0x21, 0x11, &with_extension[4..]);
        assert_eq!(header_of(&with_extension), (at("192.0.2.7:51234"), 35));
        let unix = v2_bytes(0x21, 0x31, &[b'x'; 216]);
        assert_eq!(header_of(&unix), (Source::Peer(Peer::Unix), 232));
        for (command, family, rest) in [(0x20, 0, &[][..]), (0x20, 0x11, &[1, 2]), (0x21, 0, &[])] {
            let bytes = v2_bytes(command, family, rest);
            assert_eq!(header_of(&bytes), (Source::Connection, bytes.len()));
        }
    }

    #[test]
    fn malformed_version_2_headers() {
        for bytes in [
            v2_bytes(0x31, 0x11, &[0; 12]),
            v2_bytes(0x22, 0x11, &[0; 12]),
            v2_bytes(0x21, 0x41, &[0; 12]),
            v2_bytes(0x21, 0x12, &[0; 12]),
            v2_bytes(0x21, 0x13, &[0; 12]),
            v2_bytes(0x21, 0x11, &[0; 11]),
            v2_bytes(0x21, 0x21, &[0; 12]),
            v2_bytes(0x21, 0x11, &vec![0; 5000]),
        ] {
            assert!(matches!(parse(&bytes), Parsed::Invalid(_)), "{bytes:?}");
        }
    }

    #[test]
    fn a_mysql_client_is_no_header() {
        assert_eq!(parse(b"\x20\0\0\x01\x85\xa6"), Parsed::Absent);
        assert_eq!(parse(b"\x16\x03\x01"), Parsed::Absent);
        assert_eq!(parse(b"PRO\0"), Parsed::Absent);
        assert_eq!(parse(b"\r\n\r\nX"), Parsed::Absent);
        assert_eq!(parse(b""), Parsed::Incomplete { needed: 16 });
    }

    #[test]
    fn written_headers() {
        let client = Peer::Tcp("192.0.2.7:51234".parse().expect("address"));
        let listener = Some("192.0.2.1:3306".parse().expect("address"));
        assert_eq!(header(SendProxyProtocol::Off, client, listener), None);
        assert_eq!(
            header(SendProxyProtocol::V1, client, listener).expect("on"),
            b"PROXY TCP4 192.0.2.7 192.0.2.1 51234 3306\r\n"
        );
        assert_eq!(
            header(SendProxyProtocol::V2, client, listener).expect("on"),
            v2_bytes(0x21, 0x11, &[192, 0, 2, 7, 192, 0, 2, 1, 0xc8, 0x22, 0x0c, 0xea])
        );
        assert_eq!(header(SendProxyProtocol::V1, Peer::Unix, listener).expect("on"), b"PROXY UNKNOWN\r\n");
        assert_eq!(header(SendProxyProtocol::V2, Peer::Unix, None).expect("on"), v2_bytes(0x20, 0, &[]));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(client: SocketAddr, listener: Option<SocketAddr>, v2: bool) {
            let form = if v2 { SendProxyProtocol::V2 } else { SendProxyProtocol::V1 };
            let bytes = header(form, Peer::Tcp(client), listener).expect("on");
            let expected = tcp(client.ip(), client.port());
            prop_assert_eq!(parse(&bytes), Parsed::Header { source: expected, length: bytes.len() });
        }

        #[test]
        fn any_split_comes_to_the_same(client: SocketAddr, v2: bool, behind in prop::collection::vec(any::<u8>(), 0..40)) {
            let form = if v2 { SendProxyProtocol::V2 } else { SendProxyProtocol::V1 };
            let header = header(form, Peer::Tcp(client), None).expect("on");
            let bytes = [header.as_slice(), &behind].concat();
            for cut in 0..bytes.len() {
                match parse(&bytes[..cut]) {
                    Parsed::Incomplete { needed } => {
                        prop_assert!(cut < header.len() && cut < needed);
                        prop_assert!(needed <= header.len());
                    }
                    whole => {
                        prop_assert!(cut >= header.len());
                        prop_assert_eq!(whole, parse(&bytes));
                    }
                }
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), as_header in 0..3) {
            let prefix: &[u8] = [b"".as_slice(), b"PROXY TCP", V2_PREFIX][as_header as usize];
            let bytes = [prefix, &bytes].concat();
            if let Parsed::Header { length, .. } = parse(&bytes) {
                prop_assert!(length <= bytes.len());
            }
            if let Parsed::Incomplete { needed } = parse(&bytes) {
                prop_assert!(needed > bytes.len() && needed <= MAX_V2_LEN);
            }
        }
    }

    fn v2_bytes(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let len = (rest.len() as u16).to_be_bytes();
        [V2_PREFIX, &[command, family], &len, rest].concat()
    }
}
