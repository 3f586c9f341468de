//! Bytes as events again. One decoder per file.

use std::borrow::Cow;
use std::time::Duration;

use super::encode::{FIRST_CLIENT, MAX_NUMBERED, MAX_REASONS, USUAL_CODE, attributed, came, has, kind, more};
use super::event::{Came, Command, Event, Held, Login};
use super::table::Values;
use super::varint::Bytes;
use crate::stats::record::Phases;

/// See the module.
#[derive(Debug)]
pub(super) struct Decoder {
    digests: Values<u64>,
    states: Values<u64>,
    /// The number of the next new state.
    state: u64,
    reasons: Values<Cow<'static, str>>,
    last: u64,
}

impl Decoder {
    /// `state`: the first number that no state has yet.
    pub fn new(state: u64) -> Self {
        Decoder {
            digests: Values::new(MAX_NUMBERED),
            states: Values::new(MAX_NUMBERED),
            state,
            reasons: Values::new(MAX_REASONS),
            last: 0,
        }
    }

    /// The first number that no state has yet.
    pub fn next_state(&self) -> u64 {
        self.state
    }

    /// The next event; `None`: these bytes are none.
    pub fn event(&mut self, bytes: &mut Bytes<'_>) -> Option<Event> {
        let first = bytes.byte()?;
        Some(match first & kind::MASK {
            kind::COMMAND => Event::Command(self.command(first, bytes)?),
            kind::CAME => Event::Came(self.came(bytes)?),
            kind::LEFT => Event::Left { at: self.time(bytes)?, client: client(bytes)? },
            kind::DIALED => Event::Dialed {
                at: self.time(bytes)?,
                took: bytes.time()?,
                wait_timeout: Some(bytes.number()?).filter(|seconds| *seconds > 0).map(Duration::from_secs),
            },
            kind::CLEANED => Event::Cleaned { at: self.time(bytes)?, took: bytes.time()? },
            kind::CLOSED => Event::Closed { at: self.time(bytes)?, took: bytes.time()? },
            kind::SERVER => Event::Server { version: bytes.text()? },
            kind::LOST => Event::Lost { count: bytes.number()? },
            _ => return None,
        })
    }

    fn came(&mut self, bytes: &mut Bytes<'_>) -> Option<Came> {
        let flags = bytes.byte()?;
        let (at, client) = (self.time(bytes)?, client(bytes)?);
        let (user, capabilities, schema) = (bytes.text()?, bytes.number()?, bytes.text()?);
        let login = match flags & came::LOGIN != 0 {
            true => Some(Login { took: bytes.time()?, queue: bytes.time()?, backend: bytes.time()? }),
            false => None,
        };
        Some(Came { at, client, user, capabilities, schema, is_own: flags & came::OWN != 0, login })
    }

    fn command(&mut self, first: u8, bytes: &mut Bytes<'_>) -> Option<Command> {
        let more = if first & has::MORE != 0 { bytes.byte()? } else { 0 };
        let ended = self.time(bytes)?;
        let client = client(bytes)?;
        let mut phases = Phases { server: bytes.time()?, transfer: bytes.time()?, ..Phases::default() };
        for (flag, phase) in
            [(has::QUEUE, &mut phases.queue), (has::RESTORE, &mut phases.restore), (has::CLIENT, &mut phases.client)]
        {
            if first & flag != 0 {
                *phase = bytes.time()?;
            }
        }
        let mut command = Command { client, phases, code: USUAL_CODE, ..Command::default() };
        let total = attributed(&command).wrapping_add(bytes.signed()? as u64);
        command.phases.total = Duration::from_nanos(total);
        command.at = ended.checked_sub(command.phases.total)?;
        command.digest = self.digests.take(bytes, |bytes| bytes.word())?;
        let (states, next) = (&mut self.states, &mut self.state);
        command.state = states.take(bytes, |_| {
            *next += 1;
            Some(*next - 1)
        })?;
        if first & has::HELD != 0 {
            command.held = self.held(bytes)?;
        }
        if more & more::CODE != 0 {
            command.code = bytes.byte()?;
        }
        if more & more::ERROR != 0 {
            command.error = Some(u16::try_from(bytes.number()?).ok()?);
        }
        if more & more::TEXT != 0 {
            command.text = Some(bytes.bytes()?.into());
        }
        Some(command)
    }

    fn held(&mut self, bytes: &mut Bytes<'_>) -> Option<Held> {
        let kind = bytes.byte()?;
        let reason = self.reasons.take(bytes, |bytes| bytes.text().map(Cow::Owned))?;
        match kind {
            0 => Some(Held::UntilWanted(reason)),
            1 => Some(Held::Pinned(reason)),
            _ => None,
        }
    }

    fn time(&mut self, bytes: &mut Bytes<'_>) -> Option<Duration> {
        self.last = self.last.wrapping_add(bytes.signed()? as u64);
        Some(Duration::from_nanos(self.last))
    }
}

fn client(bytes: &mut Bytes<'_>) -> Option<u32> {
    Some(u32::try_from(bytes.number()?).ok()? ^ FIRST_CLIENT)
}
