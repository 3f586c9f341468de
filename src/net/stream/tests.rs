//! A stream changes its runtime, whatever layers it has.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::net::compression::Algorithm;
use crate::net::settings::{Address, BackendSettings, BackendTls, ListenSettings, ListenTls, SendProxyProtocol};
use crate::net::tls::{BackendTlsConfig, ServerTls};

#[test]
fn bare_sockets_move() {
    moves(async |a, b| (Stream::plain(a), Stream::plain(b)));
}

#[test]
fn tls_moves() {
    moves(tls);
}

#[test]
fn compression_moves_with_all_that_is_beneath() {
    moves(async |a, b| {
        let (a, b) = tls(a, b).await;
        (compressed(a), compressed(b))
    });
}

/// Over TCP and over a Unix socket: what waits in the socket and what comes later both arrive at the new runtime.
fn moves(layers: impl AsyncFn(Socket, Socket) -> (Stream, Stream)) {
    for pair in [tcp_pair as fn(&Runtime) -> (Socket, Socket), unix_pair] {
        let (first, second) = (runtime(), runtime());
        let (a, b) = pair(&first);
        let (mut near, mut far) = first.block_on(layers(a, b));
        first.block_on(pass(&mut far, &mut near, b"before"));
        first.block_on(pass(&mut near, &mut far, b"answer"));
        first.block_on(far.send(b"waiting")).expect("sent");

        assert!(near.rehome().is_err(), "no runtime here");
        second.block_on(async {
            assert!(near.rehome().expect("moved"));
            assert!(!near.rehome().expect("at home"));
            expect(&mut near, b"waiting").await;
            near.send(b"later").await.expect("sent");
        });
        first.block_on(expect(&mut far, b"later"));
        let late = std::thread::spawn(move || {
            first.block_on(async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                far.send(b"woken").await.expect("sent");
            });
            (first, far)
        });
        second.block_on(expect(&mut near, b"woken"));
        late.join().expect("sent");
    }
}

#[test]
fn none_is_closed_and_stays_so() {
    runtime().block_on(async {
        let mut stream = Stream::closed();
        assert!(!stream.rehome().expect("nothing to move"));
        assert!(stream.send(b"x").await.is_err());
    });
}

async fn pass(from: &mut Stream, to: &mut Stream, bytes: &[u8]) {
    from.send(bytes).await.expect("sent");
    expect(to, bytes).await;
}

async fn expect(stream: &mut Stream, bytes: &[u8]) {
    let mut buffer = Buffer::take();
    while buffer.filled().len() < bytes.len() {
        assert!(stream.fill(&mut buffer).await.expect("read") > 0, "closed early");
    }
    assert_eq!(buffer.filled(), bytes);
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn tcp_pair(runtime: &Runtime) -> (Socket, Socket) {
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let dialed = TcpStream::connect(listener.local_addr().expect("address")).await.expect("connected");
        (Socket::Tcp(listener.accept().await.expect("accepted").0), Socket::Tcp(dialed))
    })
}

fn unix_pair(runtime: &Runtime) -> (Socket, Socket) {
    let _guard = runtime.enter();
    let (a, b) = UnixStream::pair().expect("a pair");
    (Socket::Unix(a), Socket::Unix(b))
}

fn compressed(stream: Stream) -> Stream {
    Stream::compressed(Compressed::new(stream, Algorithm::Zlib))
}

async fn tls(server: Socket, client: Socket) -> (Stream, Stream) {
    let listen = ListenSettings {
        addresses: Vec::new(),
        max_clients: 1,
        workers: 1,
        tls: ListenTls::Allowed,
        tls_cert: None,
        tls_key: None,
        tls_client_ca: None,
        proxy_protocol_from: Vec::new(),
        login_timeout: Duration::from_secs(10),
        idle_timeout: None,
    };
    let backend = BackendSettings {
        address: Address::Tcp("127.0.0.1:3306".to_owned()),
        connect_timeout: Duration::from_secs(10),
        read_timeout: None,
        write_timeout: None,
        tls: BackendTls::Required,
        tls_ca: None,
        tls_cert: None,
        tls_key: None,
        send_proxy_protocol: SendProxyProtocol::Off,
    };
    let own = ServerTls::new(&listen).expect("a certificate").expect("TLS is on");
    let theirs = BackendTlsConfig::new(&backend).expect("no files").expect("TLS is on");
    let (a, b) = tokio::join!(own.accept(server), theirs.connect(client));
    (Stream::tls(a.expect("accepted").into()), Stream::tls(b.expect("connected").into()))
}
