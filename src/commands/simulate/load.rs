//! A trace as a load: what each client did, in its own time, free of when the pool let it.
//!
//! A client *comes* when it came; from then on each of its commands follows its own previous answer by the time that it
//! took to think. What a command took at the server and what kept its backend behind it are as recorded.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::costs::Costs;
use super::outcome::Latencies;
use crate::pool::core::PoolKey;
use crate::stats::trace::{self, Came, Command, Event, Held, Summary, TraceError};

/// Which connections fit a client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The account.
    pub user: Arc<str>,
    /// What its connections agree on with the server.
    pub capabilities: u64,
}

impl PoolKey for Key {
    fn account(&self) -> &str {
        &self.user
    }
}

/// What keeps a backend behind a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nothing.
    Free,
    /// What the last statement left: it goes when another client waits.
    UntilWanted,
    /// A transaction, or another pin.
    Pinned,
}

/// One command of a client. Times are nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// From the previous answer (or the login) to this command.
    pub think: u64,
    /// From the command sent to the reply's first byte.
    pub server: u64,
    /// The rest of what it took with a backend at hand: transfer, the client's reading, tidegate's own work.
    pub rest: u64,
    /// What keeps the backend behind it.
    pub hold: Hold,
    /// Numbers the session's state behind it.
    pub state: u32,
    /// tidegate answers it itself, without a backend: COM_STMT_CLOSE, KILL of a client.
    pub is_local: bool,
}

impl Step {
    /// What it takes with a backend at hand.
    pub fn service(&self) -> u64 {
        self.server + self.rest
    }
}

/// What a client does, from its coming to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its key, by number.
    pub key: usize,
    /// When it comes, nanoseconds since the trace's beginning.
    pub comes: u64,
    /// `None`: it was there before; else what the login takes beside the pool and the backend.
    pub login: Option<u64>,
    /// What the login does with a backend in mode `transaction`.
    pub login_backend: u64,
    /// Its backend is its own, whatever the mode.
    pub is_own: bool,
    /// Its commands.
    pub steps: Vec<Step>,
    /// How long after its last answer it leaves; `None`: it stays.
    pub leaves: Option<u64>,
}

/// The load of a trace.
#[derive(Debug, Clone)]
pub struct Load {
    /// What was read.
    pub summary: Summary,
    /// All keys.
    pub keys: Vec<Key>,
    /// All clients.
    pub scripts: Vec<Script>,
    /// What the pool's own work costs.
    pub costs: Costs,
    /// What commands and logins took as recorded.
    pub recorded: Latencies,
    /// Commands that got no backend when they were recorded: what they would have taken is not known.
    pub unserved: u64,
    /// When the last event ended.
    pub span: Duration,
}

impl Load {
    /// How many commands.
    pub fn commands(&self) -> u64 {
        self.scripts.iter().map(|script| script.steps.len() as u64).sum()
    }
}

/// Reads the trace at `path`.
///
/// # Errors
/// As [`trace::read`].
pub fn load(path: &Path) -> Result<Load, TraceError> {
    let mut reader = Reader::default();
    let summary = trace::read(path, |event| reader.event(event))?;
    let is_transaction = summary.origin.mode == "transaction";
    Ok(reader.finish(summary, is_transaction))
}

/// A client that is being read.
#[derive(Debug, Clone, Copy)]
struct Open {
    script: usize,
    /// When its last answer was complete.
    answered: u64,
}

#[derive(Debug, Default)]
struct Reader {
    keys: FxHashMap<Key, usize>,
    open: FxHashMap<u32, Open>,
    scripts: Vec<Script>,
    costs: Costs,
    recorded: Latencies,
    unserved: u64,
    span: u64,
}

impl Reader {
    fn event(&mut self, event: Event) {
        match event {
            Event::Came(came) => self.came(&came),
            Event::Command(command) => self.command(&command),
            Event::Left { at, client } => {
                if let Some(Open { script, answered }) = self.open.remove(&client) {
                    self.scripts[script].leaves = Some(nanos(at).saturating_sub(answered));
                }
                self.span = self.span.max(nanos(at));
            }
            Event::Dialed { took, wait_timeout, .. } => self.costs.dialed(nanos(took), wait_timeout),
            Event::Cleaned { took, .. } => self.costs.cleaned(nanos(took)),
            Event::Closed { took, .. } => self.costs.closed(nanos(took)),
            Event::Server { .. } | Event::Lost { .. } => {}
        }
    }

    fn came(&mut self, came: &Came) {
        let key = Key { user: came.user.as_str().into(), capabilities: came.capabilities };
        let next = self.keys.len();
        let key = *self.keys.entry(key).or_insert(next);
        // Each file of a trace says once more who is here.
        let is_same = |open: &Open| self.scripts[open.script].key == key && came.login.is_none();
        if self.open.get(&came.client).is_some_and(is_same) {
            return;
        }
        let at = nanos(came.at);
        let mut script = Script {
            key,
            comes: at,
            login: None,
            login_backend: 0,
            is_own: came.is_own,
            steps: Vec::new(),
            leaves: None,
        };
        let mut answered = at;
        if let Some(login) = came.login {
            let [took, queue, backend] = [login.took, login.queue, login.backend].map(nanos);
            script.login = Some(took.saturating_sub(queue + backend));
            script.login_backend = backend;
            answered = at + took;
            self.recorded.login(queue);
        }
        if let Some(before) = self.open.insert(came.client, Open { script: self.scripts.len(), answered }) {
            self.scripts[before.script].leaves = Some(0);
        }
        self.scripts.push(script);
    }

    fn command(&mut self, command: &Command) {
        if !self.open.contains_key(&command.client) {
            // Its coming was lost: it is nobody in particular.
            self.came(&Came { at: command.at, client: command.client, ..Came::default() });
        }
        let Some(open) = self.open.get_mut(&command.client) else { return };
        let phases = &command.phases;
        let [at, queue, restore, server, total] =
            [command.at, phases.queue, phases.restore, phases.server, phases.total].map(nanos);
        let own = total.saturating_sub(queue + restore);
        self.scripts[open.script].steps.push(Step {
            think: at.saturating_sub(open.answered),
            server: server.min(own),
            rest: own - server.min(own),
            hold: match command.held {
                Held::Free => Hold::Free,
                Held::UntilWanted(_) => Hold::UntilWanted,
                Held::Pinned(_) => Hold::Pinned,
            },
            state: u32::try_from(command.state).unwrap_or(u32::MAX),
            is_local: server + queue + restore + nanos(phases.transfer) == 0,
        });
        open.answered = open.answered.max(at) + total;
        self.unserved += u64::from(server == 0 && queue > 0);
        self.costs.restored(restore);
        self.costs.served(server);
        self.recorded.command(queue, total);
        self.span = self.span.max(at + total);
    }

    fn finish(mut self, summary: Summary, is_transaction: bool) -> Load {
        self.costs.settle();
        if !is_transaction {
            // There a login kept its backend: what it would do with a shared one is about a change of user.
            let backend = self.costs.typical_clean();
            self.scripts.iter_mut().for_each(|script| script.login_backend = backend);
        }
        let mut keys: Vec<(Key, usize)> = self.keys.into_iter().collect();
        keys.sort_by_key(|(_, number)| *number);
        Load {
            summary,
            keys: keys.into_iter().map(|(key, _)| key).collect(),
            scripts: self.scripts,
            costs: self.costs,
            recorded: self.recorded,
            unserved: self.unserved,
            span: Duration::from_nanos(self.span),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
