//! The view into a running tidegate, by the tools that people use: web pages, console, reload, and a user's own bound.

mod console;
mod http;
mod metrics;
mod orders;
mod pins;
mod reload;
mod tools;
mod user_bound;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;

use crate::crowd::{self, Client};
use crate::servers::Server;
use crate::tidegate::Tidegate;

/// What a busy machine is given for one page.
const PAGE_LIMIT: Duration = Duration::from_secs(30);

/// The status and the body of a page.
pub fn get(address: SocketAddr, path: &str) -> (u16, String) {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
}

/// The answer to a request as typed.
fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("admin.http");
    stream.set_read_timeout(Some(PAGE_LIMIT)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status.unwrap_or_else(|| panic!("no status: {answer}")), body.to_owned())
}

/// A page that is there, as JSON.
pub fn json(tidegate: &Tidegate, path: &str) -> Value {
    let (status, body) = get(tidegate.admin("http"), path);
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

/// One server for the tests that need nothing special of it.
fn server_of_all() -> &'static Server {
    static SERVER: LazyLock<Server> = LazyLock::new(|| crowd::server(&[]));
    &SERVER
}

/// A console client.
pub fn console(tidegate: &Tidegate) -> Client {
    let address = tidegate.admin("sql");
    Client::login(address, "anybody", "").unwrap_or_else(|trouble| panic!("{trouble}\n{}", tidegate.log()))
}
