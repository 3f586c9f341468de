//! Addresses: `host:port`, `[::1]:6033`, `unix:/path`; ranges such as `10.0.0.0/8`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use toml::de::DeValue;

use super::problem::Fault;
use super::value::{Read, text};
use crate::net::settings::{Address, Cidr};

/// An address to listen on: port 0 leaves the choice to the system.
///
/// # Errors
/// No address.
pub fn listening(value: &DeValue<'_>) -> Read<Address> {
    address(&text(value)?, 6033)
}

/// The server's address.
///
/// # Errors
/// No address, or port 0.
pub fn server(value: &DeValue<'_>) -> Read<Address> {
    match address(&text(value)?, 3306)? {
        Address::Tcp(tcp) if tcp.ends_with(":0") => {
            Err(Fault::new("port 0 is nobody's", "write the server's port, usually 3306"))
        }
        address => Ok(address),
    }
}

/// An IP address with its port; `localhost` is `127.0.0.1`.
///
/// # Errors
/// Anything else; host names and Unix sockets are not possible here.
pub fn socket(value: &DeValue<'_>) -> Read<SocketAddr> {
    let typed = text(value)?;
    let typed = match typed.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => typed,
    };
    typed.parse().map_err(|_| {
        Fault::new(
            format!("{} is not an IP address with a port", shown(&typed)),
            "write for example \"127.0.0.1:6080\" or \"[::1]:6080\"",
        )
    })
}

/// A range of addresses, or one address.
///
/// # Errors
/// Anything else.
pub fn range(value: &DeValue<'_>) -> Read<Cidr> {
    let typed = text(value)?;
    cidr(&typed).ok_or_else(|| {
        Fault::new(
            format!("{} is not a range of addresses", shown(&typed)),
            "write for example \"10.0.0.0/8\", \"192.0.2.7\" or \"fd00::/8\"",
        )
    })
}

/// Whether only this machine reaches `address`.
pub fn is_local(address: &Address) -> bool {
    match address {
        Address::Unix(_) => true,
        Address::Tcp(tcp) => host_of(tcp).is_some_and(is_local_host),
    }
}

/// Whether who listens on `listen` is also found at `other`; port 0 is a port of its own each time.
pub fn covers(listen: &Address, other: &Address) -> bool {
    let (Address::Tcp(listen_tcp), Address::Tcp(other_tcp)) = (listen, other) else {
        return listen == other;
    };
    let (Some((host, port)), Some((other_host, other_port))) = (numeric(listen_tcp), numeric(other_tcp)) else {
        return listen == other && !listen_tcp.ends_with(":0");
    };
    let everywhere = host.is_unspecified() && other_host.is_loopback();
    port != 0 && port == other_port && (host == other_host || everywhere)
}

/// `host:port` where the host is an IP address, or `localhost`.
fn numeric(tcp: &str) -> Option<(IpAddr, u16)> {
    let (_, port) = tcp.rsplit_once(':')?;
    let host = host_of(tcp)?;
    let ip = match host.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical(),
        Err(_) if is_local_host(host) => Ipv4Addr::LOCALHOST.into(),
        Err(_) => return None,
    };
    Some((ip, port.parse().ok()?))
}

fn is_local_host(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

fn address(typed: &str, usual_port: u16) -> Read<Address> {
    match typed.strip_prefix("unix:") {
        Some(path) => unix(path),
        None => tcp(typed, usual_port),
    }
}

fn unix(path: &str) -> Read<Address> {
    let path = PathBuf::from(path);
    // The system's limit on a socket's path, the closing zero included.
    let fits = path.as_os_str().len() < 108;
    if path.is_absolute() && fits {
        return Ok(Address::Unix(path));
    }
    let what = if fits {
        "a Unix socket needs a path from the root"
    } else {
        "the path of a Unix socket has at most 107 bytes"
    };
    Err(Fault::new(what, "write for example \"unix:/run/tidegate/tidegate.sock\""))
}

fn tcp(typed: &str, usual_port: u16) -> Read<Address> {
    let Some(host) = host_of(typed) else {
        return Err(no_address(typed, usual_port));
    };
    let port = &typed[typed.len() - port_len(typed)..];
    if !port.bytes().all(|b| b.is_ascii_digit()) || port.is_empty() {
        return Err(no_address(typed, usual_port));
    }
    match port.parse::<u16>() {
        Ok(port) if host.contains(':') => Ok(Address::Tcp(format!("[{host}]:{port}"))),
        Ok(port) => Ok(Address::Tcp(format!("{host}:{port}"))),
        Err(_) => Err(Fault::new(
            format!("port {port} is out of range"),
            format!("write a port from 1 to 65535, usually {usual_port}"),
        )),
    }
}

/// The host of `host:port` or `[v6]:port`, without brackets; `None` where there is none.
fn host_of(typed: &str) -> Option<&str> {
    let (host, _) = typed.rsplit_once(':')?;
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().ok().map(|_| v6),
        None => is_host(host).then_some(host),
    }
}

fn port_len(typed: &str) -> usize {
    typed.rsplit(':').next().map_or(0, str::len)
}

fn is_host(host: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !host.is_empty() && host.len() <= 253 && host.chars().all(allowed)
}

fn no_address(typed: &str, usual_port: u16) -> Fault {
    let v6_and_port = typed.rsplit_once(':').filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok());
    let instead = if let Some((host, port)) = v6_and_port {
        format!("write \"[{host}]:{port}\"")
    } else if typed.parse::<Ipv6Addr>().is_ok() {
        format!("write \"[{typed}]:{usual_port}\"")
    } else if typed.parse::<u16>().is_ok() {
        format!("write \"127.0.0.1:{typed}\"")
    } else if is_host(typed) {
        format!("write \"{typed}:{usual_port}\"")
    } else if typed.starts_with('/') {
        format!("write \"unix:{typed}\"")
    } else if let Some(port) = typed.strip_prefix("*:").or(typed.strip_prefix(':')) {
        format!("for all of this machine's addresses write \"0.0.0.0:{port}\"")
    } else {
        format!("write \"127.0.0.1:{usual_port}\", \"[::1]:{usual_port}\" or \"unix:/path\"")
    };
    Fault::new(format!("{} is not an address", shown(typed)), instead)
}

/// What was typed, unless it looks like a URL with a password in it.
fn shown(typed: &str) -> String {
    match typed.contains('@') {
        true => "this".to_owned(),
        false => format!("\"{typed}\""),
    }
}

fn cidr(typed: &str) -> Option<Cidr> {
    let (base, prefix) = typed.split_once('/').unwrap_or((typed, ""));
    let base: IpAddr = base.parse().ok()?;
    let bits = if base.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        "" if !typed.contains('/') => bits,
        digits => digits.parse().ok().filter(|prefix| *prefix <= bits)?,
    };
    Some(Cidr { base, prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp_of(text: &str) -> Read<Address> {
        Ok(Address::Tcp(text.to_owned()))
    }

    #[test]
    fn addresses_are_read() {
        assert_eq!(address("127.0.0.1:6033", 1), tcp_of("127.0.0.1:6033"));
        assert_eq!(address("[::1]:6033", 1), tcp_of("[::1]:6033"));
        assert_eq!(address("db-1.example_x:3306", 1), tcp_of("db-1.example_x:3306"));
        assert_eq!(address("127.0.0.1:0", 1), tcp_of("127.0.0.1:0"));
        assert_eq!(address("unix:/run/t.sock", 1), Ok(Address::Unix("/run/t.sock".into())));
    }

    #[test]
    fn what_is_no_address_is_answered_with_one() {
        for (typed, instead) in [
            ("db.example", "write \"db.example:3306\""),
            ("3307", "write \"127.0.0.1:3307\""),
            ("::1", "write \"[::1]:3306\""),
            ("::1:6033", "write \"[::1]:6033\""),
            ("/run/x.sock", "write \"unix:/run/x.sock\""),
            ("*:6033", "for all of this machine's addresses write \"0.0.0.0:6033\""),
            (":6033", "for all of this machine's addresses write \"0.0.0.0:6033\""),
            ("", "write \"127.0.0.1:3306\", \"[::1]:3306\" or \"unix:/path\""),
            ("a b:1", "write \"127.0.0.1:3306\", \"[::1]:3306\" or \"unix:/path\""),
            ("host:", "write \"127.0.0.1:3306\", \"[::1]:3306\" or \"unix:/path\""),
            ("host:x", "write \"127.0.0.1:3306\", \"[::1]:3306\" or \"unix:/path\""),
        ] {
            assert_eq!(address(typed, 3306).unwrap_err().instead, instead, "{typed}");
        }
        assert_eq!(
            address("h:65536", 3306).unwrap_err(),
            Fault::new("port 65536 is out of range", "write a port from 1 to 65535, usually 3306")
        );
        assert!(address("unix:run/x.sock", 1).is_err());
        assert!(address(&format!("unix:/{}", "x".repeat(107)), 1).is_err());
        assert!(address(&format!("unix:/{}", "x".repeat(106)), 1).is_ok());
    }

    #[test]
    fn a_url_with_a_password_is_not_quoted() {
        let fault = address("mysql://root:hunter2@db:3306", 3306).unwrap_err();
        assert!(!format!("{fault:?}").contains("hunter2"));
    }

    #[test]
    fn local_is_what_only_this_machine_reaches() {
        for local in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "[::ffff:127.0.0.1]:1"] {
            assert!(is_local(&Address::Tcp(local.into())), "{local}");
        }
        for open in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "db:1"] {
            assert!(!is_local(&Address::Tcp(open.into())), "{open}");
        }
        assert!(is_local(&Address::Unix("/x".into())));
    }

    #[test]
    fn an_address_covers_what_it_is_found_at() {
        let tcp = |text: &str| Address::Tcp(text.to_owned());
        for (listen, other, expected) in [
            ("127.0.0.1:3306", "127.0.0.1:3306", true),
            ("127.0.0.1:3306", "localhost:3306", true),
            ("0.0.0.0:3306", "127.0.0.1:3306", true),
            ("[::]:3306", "[::1]:3306", true),
            ("[::]:3306", "127.0.0.1:3306", true),
            ("db:3306", "db:3306", true),
            ("127.0.0.1:3306", "127.0.0.2:3306", false),
            ("127.0.0.1:3306", "127.0.0.1:3307", false),
            ("0.0.0.0:3306", "10.0.0.9:3306", false),
            ("0.0.0.0:3306", "db:3306", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            assert_eq!(covers(&tcp(listen), &tcp(other)), expected, "{listen} {other}");
        }
        let unix = Address::Unix("/x".into());
        assert!(covers(&unix, &unix));
        assert!(!covers(&unix, &tcp("127.0.0.1:1")));
    }

    #[test]
    fn ranges_are_read() {
        let read = |text| cidr(text).map(|c| (c.base.to_string(), c.prefix));
        assert_eq!(read("10.0.0.0/8"), Some(("10.0.0.0".into(), 8)));
        assert_eq!(read("192.0.2.7"), Some(("192.0.2.7".into(), 32)));
        assert_eq!(read("::1"), Some(("::1".into(), 128)));
        for bad in ["10.0.0.0/33", "10.0.0.0/", "fd00::/129", "host/8", "/8", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
