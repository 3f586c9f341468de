//! Dialling: from an address in the configuration to a connected socket.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use super::settings::Address;
use super::stream::Socket;

/// A peer that vanished without a word is noticed after 60 + 4 * 15 seconds.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;
/// A name's addresses beyond these are not tried.
const MAX_ADDRESSES: usize = 16;

/// Why there is no connection. The backend's side is at fault, or its address in the configuration.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("cannot resolve {host_port}: {source}")]
    Resolve {
        /// As configured.
        host_port: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// None of its addresses can be connected to.
    #[error("cannot connect to {host_port}: {}", list(attempts))]
    Tcp {
        /// As configured.
        host_port: String,
        /// Each address that was tried, with its error; at least one.
        attempts: Vec<(SocketAddr, io::Error)>,
    },
    /// The socket cannot be connected to.
    #[error("cannot connect to unix:{}: {source}", path.display())]
    Unix {
        /// The socket's path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No answer in time.
    #[error("no connection to {address} within {limit:?}")]
    TimedOut {
        /// As configured.
        address: String,
        /// The limit.
        limit: Duration,
    },
}

impl DialError {
    /// Whether some address answered, and refused: the machine is there, the server is not.
    pub fn is_refused(&self) -> bool {
        let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        match self {
            DialError::Tcp { attempts, .. } => attempts.iter().any(|(_, error)| refused(error)),
            DialError::Unix { source, .. } => refused(source),
            _ => false,
        }
    }

    /// Whether nobody answered in time.
    pub fn is_timeout(&self) -> bool {
        match self {
            DialError::TimedOut { .. } => true,
            DialError::Tcp { attempts, .. } => {
                attempts.iter().all(|(_, error)| error.kind() == io::ErrorKind::TimedOut)
            }
            _ => false,
        }
    }
}

/// Connects within `limit`. A name is resolved anew each time, and its addresses are tried in the resolver's order, each
/// for an equal part of the time that is left.
///
/// Cancel safe: a dropped dial closes what it had opened (a name look-up under way ends by itself).
pub async fn dial(address: &Address, limit: Duration) -> Result<Socket, DialError> {
    let deadline = Instant::now() + limit;
    let attempt = async {
        match address {
            Address::Tcp(host_port) => dial_tcp(host_port, deadline).await.map(Socket::Tcp),
            Address::Unix(path) => dial_unix(path).await.map(Socket::Unix),
        }
    };
    match timeout_at(deadline, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(DialError::TimedOut { address: address.to_string(), limit }),
    }
}

/// Nodelay and keep-alive, as every TCP connection of tidegate has them, dialled or accepted.
pub fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_PROBES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

async fn dial_unix(path: &std::path::Path) -> Result<UnixStream, DialError> {
    let connected = UnixStream::connect(path).await;
    connected.map_err(|source| DialError::Unix { path: path.to_owned(), source })
}

async fn dial_tcp(host_port: &str, deadline: Instant) -> Result<TcpStream, DialError> {
    let addresses = resolve(host_port).await?;
    connect_any(&addresses, deadline)
        .await
        .map_err(|attempts| DialError::Tcp { host_port: host_port.to_owned(), attempts })
}

/// The first that answers, or every address with its error.
async fn connect_any(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Vec<(SocketAddr, io::Error)>> {
    let mut attempts = Vec::new();
    for (tried, &address) in addresses.iter().enumerate() {
        let share = addresses.len() - tried;
        match connect(address, share_of(deadline, share)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => attempts.push((address, error)),
        }
    }
    Err(attempts)
}

async fn resolve(host_port: &str) -> Result<Vec<SocketAddr>, DialError> {
    let failed = |source| DialError::Resolve { host_port: host_port.to_owned(), source };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in tokio::net::lookup_host(host_port).await.map_err(failed)? {
        if addresses.len() < MAX_ADDRESSES && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    match addresses.is_empty() {
        true => Err(failed(io::Error::new(io::ErrorKind::NotFound, "no address"))),
        false => Ok(addresses),
    }
}

async fn connect(address: SocketAddr, deadline: Instant) -> io::Result<TcpStream> {
    let stream = timeout_at(deadline, TcpStream::connect(address)).await??;
    tune(&stream)?;
    Ok(stream)
}

/// The end of the first of `shares` equal parts of the time until `deadline`.
fn share_of(deadline: Instant, shares: usize) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / shares as u32
}

fn list(attempts: &[(SocketAddr, io::Error)]) -> String {
    let each = attempts.iter().map(|(address, error)| format!("{address}: {error}"));
    each.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, UnixListener};

    const LIMIT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn tcp_is_tuned() {
        let (address, listener) = listening().await;
        let Ok(Socket::Tcp(stream)) = dial(&address, LIMIT).await else {
            panic!("no TCP connection");
        };
        listener.accept().await.expect("accepted");
        assert!(stream.nodelay().expect("nodelay"));
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("keep-alive"));
        assert_eq!(socket.tcp_keepalive_time().expect("time"), KEEPALIVE_IDLE);
    }

    #[tokio::test]
    async fn a_name_is_resolved_and_every_address_tried() {
        // `localhost` is ::1 first on many machines; the listener is on 127.0.0.1 alone.
        let (address, listener) = listening().await;
        let named = Address::Tcp(address.to_string().replace("127.0.0.1", "localhost"));
        dial(&named, LIMIT).await.expect("one of its addresses");
        listener.accept().await.expect("accepted");
    }

    #[tokio::test]
    async fn unix_sockets() {
        let folder = tempfile::TempDir::new().expect("folder");
        let path = folder.path().join("server.sock");
        let address = Address::Unix(path.clone());
        let error = dial(&address, LIMIT).await.expect_err("not there");
        assert!(error.to_string().contains("server.sock"), "{error}");
        let listener = UnixListener::bind(&path).expect("bound");
        let Ok(Socket::Unix(mut stream)) = dial(&address, LIMIT).await else {
            panic!("no Unix connection");
        };
        let (mut accepted, _) = listener.accept().await.expect("accepted");
        accepted.write_all(b"hi").await.expect("written");
        let mut read = [0; 2];
        stream.read_exact(&mut read).await.expect("read");
        assert_eq!(&read, b"hi");
        drop(listener);
        assert!(dial(&address, LIMIT).await.expect_err("gone").is_refused());
    }

    #[tokio::test]
    async fn nobody_there() {
        let (address, listener) = listening().await;
        drop(listener);
        let error = dial(&address, LIMIT).await.expect_err("refused");
        assert!(error.is_refused());
        assert!(error.to_string().contains("127.0.0.1:"), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_address() {
        for name in ["127.0.0.1:port", "127.0.0.1", ""] {
            let address = Address::Tcp(name.to_owned());
            let error = dial(&address, LIMIT).await.expect_err("no address");
            assert!(matches!(error, DialError::Resolve { .. }), "{error}");
        }
    }

    #[tokio::test]
    async fn a_silent_address_costs_only_its_share() {
        // A listener whose queue is full answers nothing: connecting to it hangs.
        let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("socket");
        full.bind(&"127.0.0.1:0".parse::<SocketAddr>().expect("address").into()).expect("bound");
        full.listen(0).expect("listening");
        let silent = full.local_addr().expect("address").as_socket().expect("IP");
        let mut queue = Vec::new();
        for _ in 0..4 {
            queue.push(connect(silent, Instant::now() + Duration::from_millis(50)).await);
        }
        assert!(queue.iter().any(Result::is_err), "the queue never filled");
        let alone = Address::Tcp(silent.to_string());
        let error = dial(&alone, Duration::from_millis(100)).await.expect_err("hangs");
        assert!(error.is_timeout(), "{error}");

        let (_, listener) = listening().await;
        let live = listener.local_addr().expect("address");
        let deadline = Instant::now() + Duration::from_millis(400);
        let stream = connect_any(&[silent, live], deadline).await.expect("the second");
        assert_eq!(stream.peer_addr().expect("address"), live);
        assert!(Instant::now() < deadline);
    }

    #[test]
    fn shares_of_the_time_left() {
        let now = Instant::now();
        let deadline = now + Duration::from_secs(12);
        let third = share_of(deadline, 3).duration_since(now);
        assert!(third >= Duration::from_secs(3) && third <= Duration::from_secs(5));
        assert!(share_of(now - Duration::from_secs(1), 2) <= Instant::now());
    }

    async fn listening() -> (Address, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("address");
        (Address::Tcp(address.to_string()), listener)
    }
}
