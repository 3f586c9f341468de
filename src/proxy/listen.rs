//! Accepting clients, and what comes before a client's life: whose connection it is, and whether there is room.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tracing::{info, warn};

use crate::net::buffer::Buffer;
use crate::net::dial;
use crate::net::proxy_protocol::{self, Parsed, Source};
use crate::net::settings::{Address, ListenSettings, Peer};
use crate::net::stream::{Socket, Stream};
use crate::net::unix_socket::UnixSocket;
use crate::proxy::client;
use crate::proxy::server::Proxy;
use crate::proxy::workers::{Worker, Workers};
use crate::wire::fault::{self, ErrPacket};

/// A socket between two threads' runtimes.
pub enum Accepted {
    /// Over TCP.
    Tcp(std::net::TcpStream, Peer),
    /// Over a Unix socket.
    Unix(std::os::unix::net::UnixStream),
}

/// All bound sockets.
pub struct Listeners {
    tcp: Vec<TcpListener>,
    unix: Vec<UnixSocket>,
}

impl Listeners {
    /// The TCP addresses as they were bound: with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Binds every address of `[listen]`.
    ///
    /// # Errors
    /// An address is taken, not ours, or a name that does not resolve.
    pub async fn bind(settings: &ListenSettings) -> anyhow::Result<Listeners> {
        let mut listeners = Listeners { tcp: Vec::new(), unix: Vec::new() };
        for address in &settings.addresses {
            match address {
                Address::Tcp(name) => {
                    let listener = bind_tcp(name).await.with_context(|| format!("listen.address {name}"))?;
                    listeners.tcp.push(listener);
                }
                Address::Unix(path) => {
                    let socket =
                        UnixSocket::bind(path).with_context(|| format!("listen.address unix:{}", path.display()))?;
                    listeners.unix.push(socket);
                }
            }
        }
        Ok(listeners)
    }
}

async fn bind_tcp(name: &str) -> anyhow::Result<TcpListener> {
    const BACKLOG: i32 = 4096;
    let address = tokio::net::lookup_host(name).await?.next().context("the name has no address")?;
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into())?)
}

/// Accepts until aborted.
pub async fn accept(listeners: Listeners, workers: Workers) {
    let mut tasks = tokio::task::JoinSet::new();
    for listener in listeners.tcp {
        let workers = workers.clone();
        tasks.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        let _ = dial::tune(&stream);
                        if let Ok(stream) = stream.into_std() {
                            workers.take(Accepted::Tcp(stream, Peer::Tcp(peer)));
                        }
                    }
                    Err(error) => rest(&error).await,
                }
            }
        });
    }
    for listener in listeners.unix {
        let workers = workers.clone();
        tasks.spawn(async move {
            loop {
                match listener.accept().await.and_then(UnixStream::into_std) {
                    Ok(stream) => workers.take(Accepted::Unix(stream)),
                    Err(error) => rest(&error).await,
                }
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// Out of file descriptors: clients wait in the kernel's queue meanwhile.
async fn rest(error: &std::io::Error) {
    warn!(%error, "a client could not be accepted; trying again in 100 ms");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// One accepted socket: whose it is, whether there is room, then the client's life.
pub async fn serve(proxy: Arc<Proxy>, worker: Arc<Worker>, accepted: Accepted) {
    let Ok((mut stream, peer)) = stream_of(accepted) else { return };
    // What few connections need is boxed: each client's task is as large as the largest of its inner waits.
    let Some(peer) = Box::pin(true_peer(&proxy, &mut stream, peer)).await else { return };
    if !may_use_local_accounts(&proxy, &peer) {
        return Box::pin(refuse_host(stream, &peer)).await;
    }
    match proxy.clients.admit(proxy.live.max_clients()) {
        Some(admission) => client::serve(proxy, worker, stream, peer, admission).await,
        None => Box::pin(refuse_one_too_many(stream, &peer)).await,
    }
}

async fn refuse_one_too_many(mut stream: Stream, peer: &Peer) {
    info!(peer = %crate::proxy::error::host(peer), "refused: listen.max_clients are connected");
    let full = ErrPacket::new(fault::TOO_MANY_CONNECTIONS, b"08004", "Too many connections");
    let _ = stream.send(&full.before_greeting().packet(0)).await;
    client::linger(&mut stream).await;
}

fn stream_of(accepted: Accepted) -> std::io::Result<(Stream, Peer)> {
    Ok(match accepted {
        Accepted::Tcp(stream, peer) => (Stream::plain(Socket::Tcp(TcpStream::from_std(stream)?)), peer),
        Accepted::Unix(stream) => (Stream::plain(Socket::Unix(UnixStream::from_std(stream)?)), Peer::Unix),
    })
}

/// The peer that a PROXY header names, where headers are expected from this one. `None`: no good header came.
async fn true_peer(proxy: &Proxy, stream: &mut Stream, peer: Peer) -> Option<Peer> {
    let Peer::Tcp(address) = peer else { return Some(peer) };
    if !proxy.settings.listen.proxy_protocol_from.iter().any(|range| range.contains(address.ip())) {
        return Some(peer);
    }
    let read = tokio::time::timeout(proxy.live.login_timeout(), read_header(stream, peer)).await;
    match read {
        Ok(Ok(peer)) => Some(peer),
        Ok(Err(why)) => {
            info!(peer = %address.ip(), fault = "client", "PROXY header: {why}");
            None
        }
        Err(_) => {
            info!(peer = %address.ip(), fault = "client", "no PROXY header came in time");
            None
        }
    }
}

/// Nothing follows the header before tidegate's greeting, so nothing behind it may have come.
async fn read_header(stream: &mut Stream, peer: Peer) -> Result<Peer, String> {
    let mut buffer = Buffer::take();
    loop {
        if stream.fill(&mut buffer).await.map_err(|error| error.to_string())? == 0 {
            return Err("the connection was closed before it was whole".into());
        }
        match proxy_protocol::parse(buffer.filled()) {
            Parsed::Incomplete { .. } if !buffer.is_full() => {}
            Parsed::Header { source, length } if length == buffer.filled().len() => {
                return Ok(match source {
                    Source::Peer(told) => told,
                    Source::Connection => peer,
                });
            }
            Parsed::Header { .. } => return Err("bytes followed it before the greeting".into()),
            Parsed::Absent => return Err("there is none, and listen.proxy_protocol_from requires one".into()),
            _ => return Err("it is malformed".into()),
        }
    }
}

/// Behind a loopback backend, tidegate's place is `localhost`: clients from elsewhere have no business there unless told so.
fn may_use_local_accounts(proxy: &Proxy, peer: &Peer) -> bool {
    let from_here = match peer {
        Peer::Unix => true,
        Peer::Tcp(address) => address.ip().to_canonical().is_loopback(),
    };
    from_here || proxy.settings.auth.allow_local_accounts || !proxy.settings.backend.address.is_local()
}

async fn refuse_host(mut stream: Stream, peer: &Peer) {
    let host = crate::proxy::error::host(peer);
    warn!(
        peer = host,
        "refused: the backend is on this machine and the client is not; set auth.allow_local_accounts = true if its local accounts may be used from elsewhere"
    );
    let text = format!("Host '{host}' is not allowed to connect to this MySQL server");
    let _ = stream.send(&ErrPacket::new(fault::HOST_NOT_PRIVILEGED, b"HY000", text).before_greeting().packet(0)).await;
    client::linger(&mut stream).await;
}
