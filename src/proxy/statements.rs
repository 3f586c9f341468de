//! The prepared statements of one client, as far as the records need them: text and digest by id.

use rustc_hash::FxHashMap;

/// How many statements' texts are kept per client.
const MAX_STATEMENTS: usize = 4096;

/// How much of a statement's text is kept, in bytes.
const MAX_TEXT: usize = 4096;

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
}

/// All of one client.
#[derive(Debug, Default)]
pub struct Statements {
    known: FxHashMap<u32, Statement>,
    last: u32,
}

impl Statements {
    /// The server has prepared `text` under `id`.
    pub fn prepared(&mut self, id: u32, text: &[u8], len: u64, digest: u64) {
        self.last = id;
        if self.known.len() < MAX_STATEMENTS {
            let text = text[..text.len().min(MAX_TEXT)].into();
            self.known.insert(id, Statement { text, len, digest });
        }
    }

    /// What was prepared under `id`.
    pub fn get(&self, id: u32) -> Option<&Statement> {
        self.known.get(&if id == LAST_PREPARED { self.last } else { id })
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
