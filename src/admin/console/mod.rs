//! The console: the MySQL protocol, so that any client of MySQL is a way in.
//!
//! ```text
//! login -> session (commands) -> statement (what is asked, pure) -> show, select, orders -> reply (packets, pure)
//! ```

mod login;
mod orders;
mod reply;
mod select;
mod session;
mod show;
mod statement;
mod variables;
mod words;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use super::Admin;
use crate::net::channel::Channel;
use crate::net::settings::Peer;
use crate::net::stream::{Socket, Stream};
use crate::wire::fault::{ErrPacket, TOO_MANY_CONNECTIONS};

/// Connections at once; one more gets ERR 1040.
const MAX_CONNECTIONS: usize = 64;

/// How long a login may take.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Accepts until the process ends.
pub(super) async fn serve(admin: Arc<Admin>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let ids = AtomicU32::new(0);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok((stream, peer)) => (stream, Peer::Tcp(peer)),
            Err(error) => {
                warn!(%error, "admin.sql: a connection could not be accepted; trying again in 100 ms");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let mut channel = Channel::new(Stream::plain(Socket::Tcp(stream)));
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tokio::spawn(async move {
                channel.patience = Some(Duration::from_secs(1));
                let full = ErrPacket::new(TOO_MANY_CONNECTIONS, b"08004", "Too many connections");
                let _ = channel.write(&full.before_greeting().payload()).await;
            });
            continue;
        };
        let (admin, id) = (Arc::clone(&admin), ids.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
        tokio::spawn(async move {
            channel.patience = Some(LOGIN_TIMEOUT);
            match login::enter(&admin, channel, peer, id).await {
                Ok(entered) => session::run(&admin, entered).await,
                Err(why) => debug!("admin.sql: {why}"),
            }
            drop(place);
        });
    }
}
