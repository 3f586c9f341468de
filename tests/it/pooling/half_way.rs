//! Logins that are begun and never ended hold half of the pool at the most: who is in goes on working.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::crowd::{self, Client, USER};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

const MANY: usize = 12;
/// A login by mysql_native_password of an account that there is not: client's capabilities, packet limit, character set, name, method.
const LOGIN: &[u8] =
    b"\x01\xa2\x08\x00\0\0\0\x01\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0nobody\0\0mysql_native_password\0";

/// Connects, and says no more than this.
fn half_way(tidegate: &Tidegate, says: Option<&[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(tidegate.address()).expect("a connection");
    if let Some(login) = says {
        let mut greeting = vec![0; 4];
        stream.read_exact(&mut greeting).expect("a header");
        greeting.resize(usize::from(greeting[0]), 0);
        stream.read_exact(&mut greeting).expect("a greeting");
        let header = [u8::try_from(login.len()).expect("a short one"), 0, 0, 1];
        stream.write_all(&[&header, login].concat()).expect("sent");
    }
    stream
}

fn server(kind: Kind) -> &'static Server {
    let server = crowd::shared(kind);
    crowd::account(server, USER, "ALL ON *.*");
    server
}

#[test]
fn they_leave_room_for_who_is_in() {
    for kind in Kind::here() {
        let server = server(kind);
        let pool = "pool.size = 4\npool.max_overflow = 0\npool.checkout_timeout = \"2s\"\n";
        let user = format!("[[user]]\nname = \"{USER}\"\npassword = \"\"\n");
        for (keys, says) in [(pool.to_owned(), None), (format!("{pool}{user}"), Some(LOGIN))] {
            let tidegate = Tidegate::in_front_of(server, &keys);
            let enter = || Client::login(tidegate.address(), USER, "").expect("a login");
            let (mut first, mut second) = (enter(), enter());
            let waiting: Vec<_> = (0..MANY).map(|_| half_way(&tidegate, says)).collect();
            std::thread::sleep(std::time::Duration::from_millis(500));
            for client in [&mut first, &mut second] {
                client.run("BEGIN");
                assert_eq!(client.value("SELECT 'in'"), "in", "{kind}");
            }
            drop(waiting);
            first.run("COMMIT");
            crowd::eventually("the others are forgotten", crowd::LIMIT, || {
                Client::login(tidegate.address(), USER, "").is_ok()
            });
        }
    }
}
