//! What happened, as a trace tells it. Every time is since the recording began.

use std::borrow::Cow;
use std::time::Duration;

use crate::stats::record::Phases;

/// One thing that happened. Events stand in the order in which they ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A client is in.
    Came(Came),
    /// A command is over.
    Command(Command),
    /// A client is gone.
    Left {
        /// When.
        at: Duration,
        /// Who.
        client: u32,
    },
    /// A connection to the server was dialed, and logged in where the pool does that.
    Dialed {
        /// When it was ready.
        at: Duration,
        /// How long that took.
        took: Duration,
        /// Its own `@@wait_timeout`; `None`: nobody asked.
        wait_timeout: Option<Duration>,
    },
    /// A connection that came back was made clean.
    Cleaned {
        /// When it was clean.
        at: Duration,
        /// How long that took.
        took: Duration,
    },
    /// An idle connection was closed.
    Closed {
        /// When the server had closed.
        at: Duration,
        /// How long that took.
        took: Duration,
    },
    /// The server has greeted.
    Server {
        /// Its version.
        version: String,
    },
    /// Here so many events are missing: the disk was too slow.
    Lost {
        /// How many.
        count: u64,
    },
}

/// A client that is in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Came {
    /// When its login began, or when it was first seen.
    pub at: Duration,
    /// Its connection id; other clients may have it when it has left.
    pub client: u32,
    /// Its account's name.
    pub user: String,
    /// What its backends agree on with the server: with the user, what decides which connections fit.
    pub capabilities: u64,
    /// The schema of its login; empty: none.
    pub schema: String,
    /// Its backend is its own: tidegate does not know the password.
    pub is_own: bool,
    /// `None`: it was there before.
    pub login: Option<Login>,
}

/// Where a login's time went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Login {
    /// From the accept to the OK.
    pub took: Duration,
    /// .. of which it waited for a backend, or for the right to dial one.
    pub queue: Duration,
    /// .. of which it used the backend, its dial included.
    pub backend: Duration,
}

/// A command that is over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Command {
    /// When its first byte was read.
    pub at: Duration,
    /// Who sent it.
    pub client: u32,
    /// The protocol's command byte.
    pub code: u8,
    /// Its statement's digest; 0: none.
    pub digest: u64,
    /// Where its time went.
    pub phases: Phases,
    /// What became of its backend behind it.
    pub held: Held,
    /// Numbers the state that its session is in behind it: equal numbers within a trace are equal states.
    pub state: u64,
    /// The error code, if it failed.
    pub error: Option<u16>,
    /// The statement with its parameters in it, where literals were asked for and it is neither too long nor about a password.
    pub text: Option<Box<[u8]>>,
}

/// What keeps a backend for its client behind a command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Held {
    /// Nothing: it is anybody's.
    #[default]
    Free,
    /// It goes when another client waits: what the last statement left behind is on it (a hold's name).
    UntilWanted(Cow<'static, str>),
    /// It stays (a pin's name; `transaction`).
    Pinned(Cow<'static, str>),
}

impl Event {
    /// About how much memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        size_of::<Event>()
            + match self {
                Event::Came(came) => came.user.len() + came.schema.len(),
                Event::Command(command) => command.text.as_ref().map_or(0, |text| text.len()),
                _ => 0,
            }
    }
}

impl Command {
    /// When its reply's last byte was written.
    pub fn ended(&self) -> Duration {
        self.at + self.phases.total
    }

    /// What the command took beside its waits: its own work and tidegate's.
    pub fn service(&self) -> Duration {
        self.phases.total.saturating_sub(self.phases.queue + self.phases.restore)
    }
}
