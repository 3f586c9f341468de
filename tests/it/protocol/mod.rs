//! The protocol on real servers: what a client sees through tidegate is what it sees direct, byte for byte.

mod commands;
mod endings;
mod links;
mod packets;
mod records;
mod session;

use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// Both modes in which a client has its backend to itself.
const MODES: [&str; 2] = ["observe", "session"];

/// tidegate in this mode, where root's empty password is known; more `[pool]` keys or tables may follow.
fn config(mode: &str, more: &str) -> String {
    format!("[[user]]\nname = \"root\"\npassword = \"\"\n[pool]\nmode = \"{mode}\"\n{more}\n")
}

fn in_front_of(server: &Server, mode: &str) -> Tidegate {
    Tidegate::in_front_of(server, &config(mode, ""))
}

/// Runs the same work at the same time for every server that is here.
pub fn on_every_server(work: impl Fn(Kind) + Sync) {
    let work = &work;
    std::thread::scope(|scope| {
        for kind in Kind::here() {
            scope.spawn(move || work(kind));
        }
    });
}
