//! A plain TCP relay: a hop to compare with, and the faults of a network between two peers.
//!
//! It runs on a thread and runtime of its own, so a test that blocks does not stop it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

const CHUNK: usize = 64 * 1024;

/// What the relay does with the bytes, on all of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Passes them on.
    None,
    /// Passes nothing on, and keeps the connections open.
    Freeze,
    /// Closes the connections; new ones are closed at once.
    Cut,
    /// Passes this many more bytes towards the client of each connection, then closes it: a cut in mid-packet.
    CutAfter(usize),
    /// Sends these bytes in place of the next that the server sends, once on each connection, then goes on.
    Garbage(Vec<u8>),
}

/// A running relay; dropping it closes its connections.
pub struct Relay {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    counts: Arc<Counts>,
    cuts_next: Arc<AtomicBool>,
    _stop: oneshot::Sender<()>,
}

/// Connections: a connection is open until the server has closed it, or the relay both sides.
#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    open: AtomicUsize,
    most: AtomicUsize,
}

impl Counts {
    fn came(self: &Arc<Counts>) -> Open {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(open, Ordering::Relaxed);
        Open(Arc::clone(self))
    }
}

struct Open(Arc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Relay {
    /// Starts a relay to this address on a free port of 127.0.0.1.
    pub fn start(to: SocketAddr) -> Relay {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (fault, faults) = watch::channel(Fault::None);
        let (stop, stopped) = oneshot::channel();
        let counts = Arc::<Counts>::default();
        let count = Arc::clone(&counts);
        let cuts_next = Arc::<AtomicBool>::default();
        let way = Way { to, faults, cuts_next: Arc::clone(&cuts_next) };
        std::thread::spawn(move || run(listener, way, count, stopped));
        Relay { address, fault, counts, cuts_next, _stop: stop }
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, this fault.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// The next connection on which the server says something is closed instead; the others stay.
    pub fn cut_next(&self) {
        self.cuts_next.store(true, Ordering::SeqCst);
    }

    /// Whether that is still to come.
    pub fn is_to_cut(&self) -> bool {
        self.cuts_next.load(Ordering::SeqCst)
    }

    /// How many connections it has accepted.
    pub fn accepted(&self) -> usize {
        self.counts.accepted.load(Ordering::Relaxed)
    }

    /// The most that were open at once.
    pub fn most(&self) -> usize {
        self.counts.most.load(Ordering::Relaxed)
    }
}

/// Where to, and what becomes of it on the way.
#[derive(Clone)]
struct Way {
    to: SocketAddr,
    faults: watch::Receiver<Fault>,
    cuts_next: Arc<AtomicBool>,
}

fn run(listener: std::net::TcpListener, way: Way, count: Arc<Counts>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        listener.set_nonblocking(true).expect("a listener");
        let listener = TcpListener::from_std(listener).expect("a listener");
        tokio::select! {
            () = accept(listener, way, count) => {}
            _ = stopped => {}
        }
    });
}

async fn accept(listener: TcpListener, way: Way, count: Arc<Counts>) {
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        tokio::spawn(relay(client, way.clone(), count.came()));
    }
}

// One connection. The client's end is passed on, and the server then has the last word; at the server's, and at a fault, both
// are closed.
async fn relay(client: TcpStream, way: Way, open: Open) -> std::io::Result<()> {
    let server = TcpStream::connect(way.to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let to_server = async {
        if pump(from_client, to_server, Direction::ToServer, way.clone()).await == End::PassedOn {
            std::future::pending::<()>().await;
        }
    };
    let to_client = async {
        pump(from_server, to_client, Direction::ToClient, way.clone()).await;
        // On the one thread, before another connection is accepted.
        drop(open);
    };
    tokio::select! {
        () = to_server => {}
        () = to_client => {}
    }
    Ok(())
}

/// How a direction ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client's was passed on.
    PassedOn,
    /// By the server, or by a fault.
    Cut,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, direction: Direction, way: Way) -> End {
    let Way { mut faults, cuts_next, .. } = way;
    let mut fault = faults.borrow_and_update().clone();
    let mut chunk = vec![0; CHUNK];
    loop {
        if fault == Fault::Cut {
            return End::Cut;
        }
        let frozen = fault == Fault::Freeze;
        let length = tokio::select! {
            changed = faults.changed() => match changed {
                Ok(()) => { fault = faults.borrow_and_update().clone(); continue }
                Err(_) => return End::Cut,
            },
            read = from.read(&mut chunk), if !frozen => read.unwrap_or(0),
        };
        if direction == Direction::ToClient && length > 0 && cuts_next.swap(false, Ordering::SeqCst) {
            return End::Cut;
        }
        if length == 0 && direction == Direction::ToServer && to.shutdown().await.is_ok() {
            return End::PassedOn;
        }
        let Some(bytes) = apply(&mut fault, direction, &chunk[..length]) else {
            return End::Cut;
        };
        if to.write_all(&bytes).await.is_err() {
            return End::Cut;
        }
        if fault == Fault::CutAfter(0) && direction == Direction::ToClient {
            return End::Cut;
        }
    }
}

// What to send for these bytes; nothing at the end of the stream.
fn apply(fault: &mut Fault, direction: Direction, bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.is_empty() {
        return None;
    }
    match (&mut *fault, direction) {
        (Fault::CutAfter(left), Direction::ToClient) => {
            let passed = bytes.len().min(*left);
            *left -= passed;
            Some(bytes[..passed].to_vec())
        }
        (Fault::Garbage(garbage), Direction::ToClient) => {
            let garbage = std::mem::take(garbage);
            *fault = Fault::None;
            Some(garbage)
        }
        _ => Some(bytes.to_vec()),
    }
}
