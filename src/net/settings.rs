//! How tidegate listens and how it reaches its backend: the resolved form of `[listen]` and `[backend]`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Where to listen, or where the backend is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `host:port`; the name is resolved at each dial.
    Tcp(String),
    /// `unix:/path/to.sock`
    Unix(PathBuf),
}

impl Address {
    /// Whether it is on this machine, as far as its name tells.
    pub fn is_local(&self) -> bool {
        let Address::Tcp(host_port) = self else { return true };
        let host = host_port.rsplit_once(':').map_or(host_port.as_str(), |(host, _)| host);
        let ip: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
        host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Tcp(host_port) => f.write_str(host_port),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `listen.tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenTls {
    /// TLS is offered (default).
    Allowed,
    /// TLS is not offered.
    Off,
    /// Clients without TLS are refused.
    Required,
}

/// `backend.tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendTls {
    /// TLS where the server offers it (default).
    Preferred,
    /// Never.
    Off,
    /// TLS or no connection; the certificate is not checked.
    Required,
    /// TLS, with the certificate's chain checked.
    VerifyCa,
    /// TLS, with the chain and the host name checked.
    VerifyIdentity,
}

/// `backend.send_proxy_protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendProxyProtocol {
    /// No header (default).
    Off,
    /// The text form.
    V1,
    /// The binary form.
    V2,
}

/// An address range such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    /// The network's first address.
    pub base: IpAddr,
    /// How many leading bits must agree.
    pub prefix: u8,
}

impl Cidr {
    /// Whether `ip` lies in this range; an IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let shift = 32 - u32::from(self.prefix.min(32));
                shift == 32 || (u32::from(base) >> shift) == (u32::from(ip) >> shift)
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let shift = 128 - u32::from(self.prefix.min(128));
                shift == 128 || (u128::from(base) >> shift) == (u128::from(ip) >> shift)
            }
            _ => false,
        }
    }
}

/// The resolved `[listen]`.
#[derive(Debug, Clone)]
pub struct ListenSettings {
    /// At least one.
    pub addresses: Vec<Address>,
    /// How many clients at once; one more gets ERR 1040.
    pub max_clients: usize,
    /// Threads that serve clients, at least 1 (`0` in the file: one per core).
    pub workers: usize,
    /// Whether TLS is offered.
    pub tls: ListenTls,
    /// Certificate chain (PEM) and its key; an own certificate is made at start if absent.
    pub tls_cert: Option<PathBuf>,
    /// The key of `tls_cert`.
    pub tls_key: Option<PathBuf>,
    /// Clients must show a certificate signed by one of these (PEM).
    pub tls_client_ca: Option<PathBuf>,
    /// Peers that must begin with a PROXY header; from others it is not understood.
    pub proxy_protocol_from: Vec<Cidr>,
    /// How long a login may take (default 10 s, as the server's `connect_timeout`).
    pub login_timeout: Duration,
    /// How long a client may be idle; `None`: only its own `wait_timeout` counts.
    pub idle_timeout: Option<Duration>,
}

/// The resolved `[backend]`.
#[derive(Debug, Clone)]
pub struct BackendSettings {
    /// Where the server is.
    pub address: Address,
    /// How long a dial with its login may take (default 15 s).
    pub connect_timeout: Duration,
    /// How long the server may be silent in the middle of a reply; `None`: for ever.
    pub read_timeout: Option<Duration>,
    /// How long a write to the server may be stuck; `None`: for ever.
    pub write_timeout: Option<Duration>,
    /// TLS towards the server.
    pub tls: BackendTls,
    /// Who may sign the server's certificate (PEM).
    pub tls_ca: Option<PathBuf>,
    /// tidegate's own certificate towards the server (PEM).
    pub tls_cert: Option<PathBuf>,
    /// The key of `tls_cert`.
    pub tls_key: Option<PathBuf>,
    /// The PROXY header sent to the server, in 1:1 modes only.
    pub send_proxy_protocol: SendProxyProtocol,
}

/// Where a client came from, after the PROXY header if there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Over TCP, from here.
    Tcp(SocketAddr),
    /// Over a Unix socket: the same machine.
    Unix,
}
