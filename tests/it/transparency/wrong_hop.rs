//! Hops that are wrong on purpose: the test must see it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// What is wrong.
#[derive(Clone, Copy)]
pub enum Wrong {
    /// Nothing: a plain relay.
    Nothing,
    /// The first of these bytes becomes the second in what the server sends.
    Byte(u8, u8),
    /// Each statement is answered as if this one had been sent before it, on the same connection.
    Before(&'static str),
}

/// Starts such a hop on a thread; it ends with the test process.
pub fn start(server: SocketAddr, wrong: Wrong) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(server).expect("the server");
            for stream in [&client, &server] {
                stream.set_nodelay(true).expect("no delay");
            }
            serve(client, server, wrong);
        }
    });
    address
}

fn serve(client: TcpStream, server: TcpStream, wrong: Wrong) {
    let (from_client, to_client) = (client.try_clone().expect("a stream"), client);
    let (from_server, to_server) = (server.try_clone().expect("a stream"), server);
    thread::spawn(move || pump(from_client, to_server, |bytes| towards_server(bytes, wrong)));
    thread::spawn(move || pump(from_server, to_client, |bytes| towards_client(bytes, wrong)));
}

fn pump(mut from: TcpStream, mut to: TcpStream, change: impl Fn(&mut Vec<u8>)) {
    let mut block = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut block) {
        let mut bytes = block[..length].to_vec();
        change(&mut bytes);
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

fn towards_client(bytes: &mut [u8], wrong: Wrong) {
    if let Wrong::Byte(from, to) = wrong {
        for byte in bytes.iter_mut().filter(|byte| **byte == from) {
            *byte = to;
        }
    }
}

/// A small COM_QUERY gets another statement in front: its session is not its own any more.
fn towards_server(bytes: &mut Vec<u8>, wrong: Wrong) {
    let Wrong::Before(sql) = wrong else { return };
    let is_query = bytes.len() > 5 && bytes[3] == 0 && bytes[4] == 3 && bytes[5].is_ascii_alphabetic();
    if is_query && usize::from(bytes[0]) == bytes.len() - 4 && bytes.len() + sql.len() < 250 {
        bytes.splice(5..5, sql.bytes());
        bytes[0] += u8::try_from(sql.len()).expect("a short statement");
    }
}
