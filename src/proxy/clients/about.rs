//! What is told of each client when somebody asks who is here. It is noted at a login, at a change of schema, and at the end
//! of a statement that leaves the client pinned; a plain query notes nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{BUSY, Clients, Entry, OVERDUE, lock};
use crate::net::settings::Peer;

/// The most of a statement that is kept, in bytes.
const MAX_STATEMENT: usize = 200;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    /// Its account's name; `None`: not logged in yet.
    pub user: Option<Vec<u8>>,
    peer: Option<Peer>,
    schema: String,
    tls: bool,
    own_backend: &'static str,
    /// The last statement that left it pinned.
    statement: Vec<u8>,
    digest: u64,
}

/// One client at one moment.
#[derive(Debug, Clone)]
pub struct ClientView {
    /// Its id.
    pub id: u32,
    /// Its account's name; empty before its login.
    pub user: String,
    /// Where it comes from; `None` before its login.
    pub peer: Option<Peer>,
    /// Its schema; empty: none.
    pub schema: String,
    /// Its link is encrypted.
    pub tls: bool,
    /// Why it does not share backends; empty: it does.
    pub own_backend: &'static str,
    /// The server's own id of the connection that serves it now; 0: none.
    pub backend: u32,
    /// How long it has been here.
    pub connected: Duration,
    /// For how long it has been waited for; `None`: a command of its is under way.
    pub idle: Option<Duration>,
    /// It is not logged in yet.
    pub in_login: bool,
    /// The beginning of the last statement that left it pinned.
    pub statement: Vec<u8>,
    /// That statement's digest; 0: none.
    pub digest: u64,
}

impl Entry {
    /// What a login told, after [`Admission::become_user`].
    pub fn note_login(&self, peer: Peer, schema: &str, tls: bool, own_backend: &'static str) {
        let mut about = lock(&self.about);
        about.peer = Some(peer);
        about.schema = schema.to_owned();
        (about.tls, about.own_backend) = (tls, own_backend);
    }

    /// It is in another schema.
    pub fn note_schema(&self, schema: &str) {
        lock(&self.about).schema = schema.to_owned();
    }

    /// This statement left it pinned.
    pub fn note_statement(&self, text: &[u8], digest: u64) {
        let mut about = lock(&self.about);
        about.statement.clear();
        about.statement.extend_from_slice(&text[..text.len().min(MAX_STATEMENT)]);
        about.digest = digest;
    }

    fn view(&self, now: u64) -> ClientView {
        let about = lock(&self.about).clone();
        let waiting = self.waiting.load(Ordering::Relaxed);
        ClientView {
            id: self.id,
            in_login: about.user.is_none(),
            user: String::from_utf8_lossy(&about.user.unwrap_or_default()).into_owned(),
            peer: about.peer,
            schema: about.schema,
            tls: about.tls,
            own_backend: about.own_backend,
            backend: self.backend.load(Ordering::Relaxed),
            connected: Duration::from_millis(now.saturating_sub(self.since)),
            idle: match waiting {
                BUSY => None,
                OVERDUE => Some(Duration::ZERO),
                since => Some(Duration::from_millis(now.saturating_sub(since))),
            },
            statement: about.statement,
            digest: about.digest,
        }
    }
}

impl Clients {
    /// All clients, by id. Copies the list under its lock and looks at each one after that.
    pub fn list(&self) -> Vec<ClientView> {
        let mut all: Vec<_> = lock(&self.live).values().cloned().collect();
        all.sort_by_key(|entry| entry.id);
        let now = self.clock.exact();
        all.iter().map(|entry| entry.view(now)).collect()
    }
}
