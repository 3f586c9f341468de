//! Events as bytes. One encoder per file: what it has named it does not name again.

use std::borrow::Cow;
use std::time::Duration;

use super::event::{Came, Command, Event, Held};
use super::table::Numbers;
use super::varint::{nanos, put, put_bytes, put_signed, put_time};

/// Kinds of events, in the lowest three bits of an event's first byte.
pub(super) mod kind {
    pub const COMMAND: u8 = 0;
    pub const CAME: u8 = 1;
    pub const LEFT: u8 = 2;
    pub const DIALED: u8 = 3;
    pub const CLEANED: u8 = 4;
    pub const CLOSED: u8 = 5;
    pub const LOST: u8 = 6;
    pub const SERVER: u8 = 7;
    pub const MASK: u8 = 7;
}

/// What a command has beside what every command has, in its first byte.
pub(super) mod has {
    pub const QUEUE: u8 = 1 << 3;
    pub const RESTORE: u8 = 1 << 4;
    pub const CLIENT: u8 = 1 << 5;
    pub const HELD: u8 = 1 << 6;
    pub const MORE: u8 = 1 << 7;
}

/// What few commands have, in a byte of its own.
pub(super) mod more {
    pub const CODE: u8 = 1;
    pub const ERROR: u8 = 1 << 1;
    pub const TEXT: u8 = 1 << 2;
}

/// Flags of a client that came.
pub(super) mod came {
    pub const OWN: u8 = 1;
    pub const LOGIN: u8 = 1 << 1;
}

/// COM_QUERY, which is not written down.
pub(super) const USUAL_CODE: u8 = 3;
/// Where client ids begin, but for mode `observe`.
pub(super) const FIRST_CLIENT: u32 = 0x4000_0000;
/// How many digests, and how many states, a table holds.
pub(super) const MAX_NUMBERED: usize = 1 << 16;
/// How many names of pins.
pub(super) const MAX_REASONS: usize = 256;

/// See the module.
#[derive(Debug)]
pub(super) struct Encoder {
    digests: Numbers<u64>,
    states: Numbers<u64>,
    reasons: Numbers<Cow<'static, str>>,
    /// When the event before ended, in nanoseconds.
    last: u64,
}

impl Encoder {
    pub fn new() -> Self {
        Encoder {
            digests: Numbers::new(MAX_NUMBERED),
            states: Numbers::new(MAX_NUMBERED),
            reasons: Numbers::new(MAX_REASONS),
            last: 0,
        }
    }

    pub fn put(&mut self, out: &mut Vec<u8>, event: &Event) {
        match event {
            Event::Command(command) => self.command(out, command),
            Event::Came(came) => self.came(out, came),
            Event::Left { at, client } => {
                out.push(kind::LEFT);
                self.time(out, *at);
                put_client(out, *client);
            }
            Event::Dialed { at, took, wait_timeout } => {
                out.push(kind::DIALED);
                self.time(out, *at);
                put_time(out, *took);
                // 0 is none: a server has at least one second.
                put(out, wait_timeout.map_or(0, |timeout| timeout.as_secs().max(1)));
            }
            Event::Cleaned { at, took } => self.took(out, kind::CLEANED, *at, *took),
            Event::Closed { at, took } => self.took(out, kind::CLOSED, *at, *took),
            Event::Server { version } => {
                out.push(kind::SERVER);
                put_bytes(out, version.as_bytes());
            }
            Event::Lost { count } => {
                out.push(kind::LOST);
                put(out, *count);
            }
        }
    }

    fn took(&mut self, out: &mut Vec<u8>, kind: u8, at: Duration, took: Duration) {
        out.push(kind);
        self.time(out, at);
        put_time(out, took);
    }

    fn came(&mut self, out: &mut Vec<u8>, came: &Came) {
        out.push(kind::CAME);
        let own = if came.is_own { came::OWN } else { 0 };
        out.push(own | if came.login.is_some() { came::LOGIN } else { 0 });
        self.time(out, came.at);
        put_client(out, came.client);
        put_bytes(out, came.user.as_bytes());
        put(out, came.capabilities);
        put_bytes(out, came.schema.as_bytes());
        if let Some(login) = &came.login {
            [login.took, login.queue, login.backend].into_iter().for_each(|time| put_time(out, time));
        }
    }

    fn command(&mut self, out: &mut Vec<u8>, command: &Command) {
        let phases = &command.phases;
        let more = more_of(command);
        let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
        out.push(
            kind::COMMAND
                | flag(!phases.queue.is_zero(), has::QUEUE)
                | flag(!phases.restore.is_zero(), has::RESTORE)
                | flag(!phases.client.is_zero(), has::CLIENT)
                | flag(command.held != Held::Free, has::HELD)
                | flag(more != 0, has::MORE),
        );
        if more != 0 {
            out.push(more);
        }
        self.time(out, command.ended());
        put_client(out, command.client);
        put_time(out, phases.server);
        put_time(out, phases.transfer);
        for optional in [phases.queue, phases.restore, phases.client] {
            if !optional.is_zero() {
                put_time(out, optional);
            }
        }
        put_signed(out, nanos(phases.total).wrapping_sub(attributed(command)) as i64);
        if self.digests.put(out, command.digest) {
            out.extend_from_slice(&command.digest.to_le_bytes());
        }
        // Only which states are equal is told: a state's own number could be held against guesses of what is in it.
        self.states.put(out, command.state);
        self.held(out, &command.held);
        if more & more::CODE != 0 {
            out.push(command.code);
        }
        if let Some(error) = command.error {
            put(out, u64::from(error));
        }
        if let Some(text) = &command.text {
            put_bytes(out, text);
        }
    }

    fn held(&mut self, out: &mut Vec<u8>, held: &Held) {
        let (reason, is_pinned) = match held {
            Held::Free => return,
            Held::UntilWanted(reason) => (reason, 0),
            Held::Pinned(reason) => (reason, 1),
        };
        out.push(is_pinned);
        if self.reasons.put(out, reason.clone()) {
            put_bytes(out, reason.as_bytes());
        }
    }

    fn time(&mut self, out: &mut Vec<u8>, at: Duration) {
        let at = nanos(at);
        put_signed(out, at.wrapping_sub(self.last) as i64);
        self.last = at;
    }
}

/// The phases' sum: the total is written as the difference.
pub(super) fn attributed(command: &Command) -> u64 {
    let phases = &command.phases;
    let times = [phases.queue, phases.restore, phases.server, phases.transfer, phases.client];
    times.into_iter().map(nanos).fold(0, u64::wrapping_add)
}

fn more_of(command: &Command) -> u8 {
    let code = if command.code == USUAL_CODE { 0 } else { more::CODE };
    let error = if command.error.is_some() { more::ERROR } else { 0 };
    code | error | if command.text.is_some() { more::TEXT } else { 0 }
}

fn put_client(out: &mut Vec<u8>, client: u32) {
    put(out, u64::from(client ^ FIRST_CLIENT));
}
