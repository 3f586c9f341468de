//! The prepared statements of one client, as far as the records need them: text, digest, and what of the parameters comes
//! with other commands than the execution.

use rustc_hash::FxHashMap;

use crate::wire::capabilities::Capabilities;
use crate::wire::execute::Types;
use crate::wire::frame::Fields;
use crate::wire::parameters::{Execution, LongData};

/// How many statements' texts are kept per client.
const MAX_STATEMENTS: usize = 4096;

/// How much of a statement's text is kept, in bytes.
const MAX_TEXT: usize = 4096;

/// How much of a value that is sent ahead is kept, in bytes: what the record shows of it.
const MAX_LONG: usize = 1024;

/// How many such values are kept of one statement.
const MAX_LONG_VALUES: usize = 64;

/// MariaDB's id for "the statement prepared last".
const LAST_PREPARED: u32 = u32::MAX;

/// One prepared statement.
#[derive(Debug, Clone, Default)]
pub struct Statement {
    /// Its text, perhaps cut.
    pub text: Box<[u8]>,
    /// The text's true length in bytes.
    pub len: u64,
    /// Its digest.
    pub digest: u64,
    params: u16,
    /// The parameters' types as they were sent last.
    types: Box<[u8]>,
    long: Long,
}

/// Values that are sent ahead of an execution.
#[derive(Debug, Clone, Default)]
struct Long {
    values: Vec<LongData>,
    /// They were this execution's; the next has its own.
    are_used: bool,
}

/// All of one client.
#[derive(Debug, Default)]
pub struct Statements {
    known: FxHashMap<u32, Statement>,
    last: u32,
}

impl Statements {
    /// The server has prepared `text` under `id`.
    pub fn prepared(&mut self, id: u32, params: u16, text: &[u8], len: u64, digest: u64) {
        self.last = id;
        if self.known.len() < MAX_STATEMENTS {
            let text = text[..text.len().min(MAX_TEXT)].into();
            let statement = Statement { text, len, digest, params, ..Statement::default() };
            self.known.insert(id, statement);
        }
    }

    /// What was prepared under `id`.
    pub fn get(&self, id: u32) -> Option<&Statement> {
        self.known.get(&self.resolve(id))
    }

    /// It is executed: `payload` is the command, perhaps its beginning only.
    pub fn executed(&mut self, id: u32, payload: &[u8], caps: Capabilities) {
        let Some(statement) = self.get_mut(id).filter(|statement| statement.params > 0) else { return };
        let types = Types::of(payload, statement.params, caps).filter(Types::are_there);
        if let Some(sent) = types.map(|types| types.sent(payload)).filter(|sent| **sent != *statement.types) {
            statement.types = sent.into();
        }
        statement.long.next_execution();
    }

    /// A part of a value was sent ahead: a COM_STMT_SEND_LONG_DATA of so many bytes, perhaps its beginning only.
    pub fn long_data(&mut self, payload: &[u8], bytes: u64) {
        let mut fields = Fields::new(payload.get(1..).unwrap_or_default());
        let (Some(id), Some(param)) = (fields.u32(), fields.u16()) else { return };
        if let Some(statement) = self.get_mut(id) {
            statement.long.add(param, fields.rest(), bytes);
        }
    }

    /// COM_STMT_RESET: nothing was sent ahead.
    pub fn was_reset(&mut self, id: u32) {
        if let Some(statement) = self.get_mut(id) {
            statement.long = Long::default();
        }
    }

    fn get_mut(&mut self, id: u32) -> Option<&mut Statement> {
        let id = self.resolve(id);
        self.known.get_mut(&id)
    }

    fn resolve(&self, id: u32) -> u32 {
        if id == LAST_PREPARED { self.last } else { id }
    }

    /// The client closed it.
    pub fn closed(&mut self, id: u32) {
        self.known.remove(&id);
    }

    /// A reset or a change of user closes all.
    pub fn clear(&mut self) {
        self.known = FxHashMap::default();
    }
}

impl Statement {
    /// An execution of it.
    pub fn execution<'a>(&'a self, payload: &'a [u8], caps: Capabilities) -> Option<Execution<'a>> {
        let Statement { params, types, long, .. } = self;
        (*params > 0).then_some(Execution { payload, params: *params, types, caps, long: &long.values })
    }
}

impl Long {
    fn next_execution(&mut self) {
        match self.are_used {
            true => *self = Long::default(),
            false => self.are_used = !self.values.is_empty(),
        }
    }

    fn add(&mut self, param: u16, bytes: &[u8], len: u64) {
        if self.are_used {
            *self = Long::default();
        }
        let at = match self.values.iter().position(|value| value.param == param) {
            Some(at) => at,
            None if self.values.len() < MAX_LONG_VALUES => {
                self.values.push(LongData { param, beginning: Vec::new(), len: 0 });
                self.values.len() - 1
            }
            None => return,
        };
        let value = &mut self.values[at];
        let room = MAX_LONG - value.beginning.len();
        value.beginning.extend_from_slice(&bytes[..bytes.len().min(room)]);
        value.len += len;
    }
}
