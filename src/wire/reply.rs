//! Where a reply ends. The scanner sees the bytes as they come, in any split, and answers how many of them may
//! be passed on; it decodes no row and copies nothing.
//!
//! ```text
//!             OK / ERR                                             Done
//!  Head ----> LOCAL INFILE request                                 LocalInfile, then Head again
//!        \--> column count -> Columns -> [ColumnsEof] -> Rows --> EOF/OK/ERR: Done, or Head if MORE_RESULTS
//!  PrepareHead -> Params -> [ParamsEof] -> PrepareColumns -> [PrepareEofs]: Done
//! ```
//!
//! Sources: the servers' network protocol documentation; MariaDB's progress reports are ERR packets with code 0xFFFF.

use crate::wire::capabilities::{Capabilities, DEPRECATE_EOF, MARIADB_CACHE_METADATA, OPTIONAL_RESULTSET_METADATA};
use crate::wire::command::Shape;
use crate::wire::frame::{Fields, HEADER, Header};
use crate::wire::ok::{OK_AT_LEAST, OK_HEAD, Ok, says_none};
use crate::wire::status;

/// What a reply said, summed over all its results.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Results that ended without an error.
    pub results: u32,
    /// Rows sent.
    pub rows: u64,
    /// Rows changed, of all results.
    pub affected: u64,
    /// Rows changed by the last result alone; `None` where that was a result set.
    pub last_affected: Option<u64>,
    /// The last OK's text says 0 first: an UPDATE has found no row.
    pub found_none: bool,
    /// The last OK's insert id that is not 0.
    pub insert_id: u64,
    /// The last OK's or EOF's warning count.
    pub warnings: u16,
    /// All status flags seen, or-ed.
    pub status_seen: u16,
    /// The last OK's or EOF's status flags.
    pub status: u16,
    /// The error that ended the reply.
    pub error: Option<u16>,
    /// The statement id and the parameter count that a successful COM_STMT_PREPARE gave.
    pub prepared: Option<(u32, u16)>,
    /// .. and the column count.
    pub prepared_columns: u16,
    /// The columns of the last result set.
    pub columns: u16,
}

/// What the scanner says of the bytes it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The reply goes on; bytes that were not passed must be shown again with more behind them.
    More,
    /// The reply ended with the last byte passed.
    Done,
    /// Only after [`Reply::watch`]: the packet that follows the bytes passed says that the session has changed. Show
    /// these many bytes of it (header included) to [`Reply::take`]; it is up to the caller what the client gets of it.
    NeedWhole(usize),
    /// The server asks for a file; after the client has sent it, [`Reply::resume`].
    LocalInfile,
    /// These bytes are no reply to this command: the backend's fault.
    Broken(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Columns(u64),
    ColumnsEof,
    Rows,
    PrepareHead,
    Params {
        left: u16,
        columns: u16,
    },
    ParamsEof {
        columns: u16,
    },
    PrepareColumns(u16),
    /// The definitions are through or were left out; so many EOFs follow.
    PrepareEofs(u8),
    Single,
    /// The payload now passing is the reply's last.
    Last,
    /// The payload now passing is a file request.
    LastInfile,
}

/// Scans one reply.
#[derive(Debug, Clone)]
pub struct Reply {
    state: State,
    /// Payload bytes of the current packet that were not shown yet.
    skip: usize,
    /// The current payload goes on in the next packet.
    continued: bool,
    /// The sequence id that the next packet must have.
    seq: u8,
    /// The result under way holds OUT parameters, and its definitions' EOF has said that another follows.
    more_after_out_params: bool,
    caps: Capabilities,
    /// The command asked for a cursor.
    cursor: bool,
    /// Packets with `SESSION_STATE_CHANGED` are not passed on unseen.
    watch: bool,
    /// What the reply said so far.
    pub facts: Facts,
}

impl Reply {
    /// For the reply to a command of this shape; `seq` is the id of the reply's first packet.
    /// Only `Results`, `Prepare`, `Rows` and `Single` have an end that can be seen; the others count as `Single`.
    pub fn new(shape: Shape, caps: Capabilities, seq: u8) -> Reply {
        let state = match shape {
            Shape::Results => State::Head,
            Shape::Prepare => State::PrepareHead,
            Shape::Rows => State::Rows,
            _ => State::Single,
        };
        Reply {
            state,
            skip: 0,
            continued: false,
            seq,
            more_after_out_params: false,
            caps,
            cursor: false,
            watch: false,
            facts: Facts::default(),
        }
    }

    /// The same for a COM_STMT_EXECUTE, which may ask for a cursor. Without, `CURSOR_EXISTS` says nothing: servers leave it
    /// in the status of a procedure's results too, where it is the procedure's own cursor.
    pub fn with_cursor(self, cursor: bool) -> Reply {
        Reply { cursor, ..self }
    }

    /// Whether the command asked for a cursor.
    pub fn asks_for_cursor(&self) -> bool {
        self.cursor
    }

    /// From now on every OK and EOF packet whose status has `SESSION_STATE_CHANGED` is asked for whole, see
    /// [`Verdict::NeedWhole`]. Rows and definitions pass as before.
    pub fn watch(&mut self) {
        self.watch = true;
    }

    /// Takes the packet that [`Verdict::NeedWhole`] asked for, header included, instead of showing it to
    /// [`Reply::scan`], which goes on behind it. `Done`, `More` or `Broken`.
    pub fn take(&mut self, packet: &[u8]) -> Verdict {
        let header = Header::read(packet).filter(|header| header.packet_len() == packet.len() && self.skip == 0);
        let Some(next) = header.and_then(|header| self.step(header, &packet[HEADER..])) else {
            return Verdict::Broken("malformed packet");
        };
        self.state = next;
        self.seq = self.seq.wrapping_add(1);
        if next == State::Last { Verdict::Done } else { Verdict::More }
    }

    /// Goes on after a LOCAL INFILE exchange; `seq` is the id of the server's next packet.
    pub fn resume(&mut self, seq: u8) {
        self.state = State::Head;
        self.seq = seq;
    }

    /// The sequence id that the next packet must have: where an ERR packet of tidegate's own would fit in.
    pub fn next_seq(&self) -> u8 {
        self.seq
    }

    /// Whether the bytes passed so far end with a whole packet.
    pub fn at_boundary(&self) -> bool {
        self.skip == 0
    }

    /// Shows the next bytes. Returns how many of them (from the start) may be passed on, and the verdict.
    pub fn scan(&mut self, buf: &[u8]) -> (usize, Verdict) {
        let mut at = 0;
        loop {
            let now = self.skip.min(buf.len() - at);
            at += now;
            self.skip -= now;
            if self.skip > 0 {
                return (at, Verdict::More);
            }
            if !self.continued {
                match self.state {
                    State::Last => return (at, Verdict::Done),
                    State::LastInfile => return (at, Verdict::LocalInfile),
                    _ => {}
                }
            }
            let rest = &buf[at..];
            let Some(header) = Header::read(rest) else { return (at, Verdict::More) };
            if header.seq != self.seq {
                return match self.goodbye(header, &rest[HEADER..]) {
                    Some(true) => (at + header.packet_len(), Verdict::Done),
                    Some(false) => (at, Verdict::Broken("sequence id out of order")),
                    None => (at, Verdict::More),
                };
            }
            if !self.continued {
                let payload = &rest[HEADER..];
                let needed = self.peek(header, payload);
                if payload.len() < needed {
                    return (at, Verdict::More);
                }
                if needed > 0 && self.watch && self.announces(header, payload) {
                    return (at, Verdict::NeedWhole(header.packet_len()));
                }
                match self.step(header, payload) {
                    Some(next) => self.state = next,
                    None => return (at, Verdict::Broken("malformed packet")),
                }
            }
            self.seq = self.seq.wrapping_add(1);
            self.continued = header.is_continued();
            self.skip = header.len;
            at += HEADER;
        }
    }

    /// How many payload bytes must be there before [`Reply::step`] may look.
    #[inline]
    fn peek(&self, header: Header, payload: &[u8]) -> usize {
        match (self.state, payload.first()) {
            (State::Columns(_) | State::Params { .. } | State::PrepareColumns(_), _) => 0,
            (State::Rows, Some(0..=0xFD)) => 0,
            _ => header.len.min(OK_HEAD),
        }
    }

    /// Whether this is an OK or EOF that says that the session has changed.
    fn announces(&self, header: Header, payload: &[u8]) -> bool {
        let ok = match (self.state, payload.first()) {
            (State::Head | State::Single | State::ColumnsEof, Some(0x00)) => Ok::parse(payload),
            (State::Rows, Some(0xFE)) if self.caps.has(DEPRECATE_EOF) => Ok::parse(payload),
            (State::Single, Some(0xFE)) => self.end(header, payload),
            (State::Head | State::Rows | State::ColumnsEof, Some(0xFE)) if header.len < 9 => Ok::parse_eof(payload),
            _ => None,
        };
        !header.is_continued() && ok.is_some_and(|ok| ok.status & status::SESSION_STATE_CHANGED != 0)
    }

    /// Takes the packet that begins here into account; `payload` may go beyond it or be cut after what `peek` asked for.
    #[inline]
    fn step(&mut self, header: Header, payload: &[u8]) -> Option<State> {
        let payload = &payload[..payload.len().min(header.len)];
        match self.state {
            State::Rows => self.row(header, payload),
            State::Columns(left) => Some(self.after_columns(left - 1)),
            State::Head => self.head(header, payload),
            State::ColumnsEof => self.columns_eof(payload),
            State::PrepareHead => self.prepare_head(payload),
            State::Params { left, columns } => Some(self.after_params(left - 1, columns)),
            State::ParamsEof { columns } => Some(self.after_prepare_columns(columns)),
            State::PrepareColumns(left) => Some(self.after_prepare_column(left - 1)),
            State::PrepareEofs(left) => Some(after_prepare_eof(left - 1)),
            State::Single => self.single(header, payload),
            State::Last | State::LastInfile => None,
        }
    }

    #[inline]
    fn row(&mut self, header: Header, payload: &[u8]) -> Option<State> {
        match payload.first() {
            Some(0xFE) if header.len < 9 && !self.caps.has(DEPRECATE_EOF) => {
                self.end_of_result(Ok::parse_eof(payload)?)
            }
            // Without trackers an OK is short; a row that begins with 0xFE has a column of 16 MiB and fills the packet.
            Some(0xFE) if !header.is_continued() && self.caps.has(DEPRECATE_EOF) => {
                self.end_of_result(Ok::parse(payload)?)
            }
            Some(0xFF) => self.error(payload),
            _ => {
                self.facts.rows += 1;
                Some(State::Rows)
            }
        }
    }

    fn head(&mut self, header: Header, payload: &[u8]) -> Option<State> {
        match payload.first()? {
            0x00 => {
                self.facts.found_none = says_none(payload);
                self.end_of_result(Ok::parse(payload)?)
            }
            0xFF => self.error(payload),
            0xFB => Some(State::LastInfile),
            // COM_PROCESS_INFO and the like may answer with a bare EOF where there is nothing to say.
            0xFE if header.len < 9 => self.end_of_result(Ok::parse_eof(payload)?),
            _ => self.column_count(payload),
        }
    }

    fn column_count(&mut self, payload: &[u8]) -> Option<State> {
        let mut fields = Fields::new(payload);
        let columns = fields.lenenc()?;
        self.facts.columns = u16::try_from(columns).unwrap_or(u16::MAX);
        let may_leave_out = self.caps.has(OPTIONAL_RESULTSET_METADATA) || self.caps.has(MARIADB_CACHE_METADATA);
        let left_out = may_leave_out && fields.u8() == Some(0);
        Some(if left_out { self.after_columns(0) } else { self.after_columns(columns) })
    }

    fn after_columns(&self, left: u64) -> State {
        match left {
            0 if self.caps.has(DEPRECATE_EOF) => State::Rows,
            0 => State::ColumnsEof,
            left => State::Columns(left),
        }
    }

    /// The EOF between definitions and rows; with a cursor the rows wait to be fetched.
    fn columns_eof(&mut self, payload: &[u8]) -> Option<State> {
        match payload.first() {
            Some(0xFF) => return self.error(payload),
            // MySQL 9's whole reply to an execution without a cursor of a statement that has run with one: no rows come.
            Some(0x00) => return self.end_of_result(Ok::parse(payload)?),
            _ => {}
        }
        let eof = Ok::parse_eof(payload)?;
        let announced = status::PS_OUT_PARAMS | status::MORE_RESULTS;
        self.more_after_out_params = eof.status & announced == announced;
        // A cursor is a single statement's; a procedure gives its rows at once, and more results follow.
        let opened = self.cursor && eof.status & status::CURSOR_EXISTS != 0 && eof.status & status::MORE_RESULTS == 0;
        if opened { self.end_of_result(eof) } else { Some(State::Rows) }
    }

    fn prepare_head(&mut self, payload: &[u8]) -> Option<State> {
        let mut fields = Fields::new(payload);
        match fields.u8()? {
            0xFF => self.error(payload),
            0x00 => {
                let id = fields.u32()?;
                let (columns, params) = (fields.u16()?, fields.u16()?);
                fields.u8()?;
                self.facts.warnings = fields.u16().unwrap_or(0);
                self.facts.prepared = Some((id, params));
                self.facts.prepared_columns = columns;
                let left_out = self.caps.has(OPTIONAL_RESULTSET_METADATA) && fields.u8() == Some(0);
                Some(match left_out {
                    false => self.params_or_columns(params, columns),
                    true if self.caps.has(DEPRECATE_EOF) => State::Last,
                    true => after_prepare_eof(u8::from(params > 0) + u8::from(columns > 0)),
                })
            }
            _ => None,
        }
    }

    fn params_or_columns(&self, params: u16, columns: u16) -> State {
        if params > 0 { State::Params { left: params, columns } } else { self.after_prepare_columns(columns) }
    }

    fn after_params(&self, left: u16, columns: u16) -> State {
        match left {
            0 if self.caps.has(DEPRECATE_EOF) => self.after_prepare_columns(columns),
            0 => State::ParamsEof { columns },
            left => State::Params { left, columns },
        }
    }

    fn after_prepare_columns(&self, columns: u16) -> State {
        if columns > 0 { State::PrepareColumns(columns) } else { State::Last }
    }

    fn after_prepare_column(&self, left: u16) -> State {
        match left {
            0 if self.caps.has(DEPRECATE_EOF) => State::Last,
            0 => State::PrepareEofs(1),
            left => State::PrepareColumns(left),
        }
    }

    /// A reply of one packet that begins as an EOF: with DEPRECATE_EOF it is an OK.
    fn end(&self, header: Header, payload: &[u8]) -> Option<Ok> {
        match self.caps.has(DEPRECATE_EOF) && header.len >= OK_AT_LEAST {
            true => Ok::parse(payload),
            false => Ok::parse_eof(payload),
        }
    }

    fn single(&mut self, header: Header, payload: &[u8]) -> Option<State> {
        match payload.first() {
            Some(0xFF) => return self.error(payload),
            Some(0x00) => self.note(Ok::parse(payload).unwrap_or_default()),
            Some(0xFE) => self.note(self.end(header, payload).unwrap_or_default()),
            _ => {}
        }
        Some(State::Last)
    }

    /// MySQL says only before the rows of OUT parameters, not behind them, that another result follows.
    fn end_of_result(&mut self, ok: Ok) -> Option<State> {
        self.note(ok);
        self.facts.results = self.facts.results.saturating_add(1);
        self.facts.last_affected = (self.state == State::Head).then_some(ok.affected);
        let announced = std::mem::take(&mut self.more_after_out_params);
        let more = announced || ok.status & status::MORE_RESULTS != 0;
        Some(if more { State::Head } else { State::Last })
    }

    fn note(&mut self, ok: Ok) {
        let own = if self.cursor { 0 } else { status::CURSOR_EXISTS };
        let ok = Ok { status: ok.status & !own, ..ok };
        self.facts.affected = self.facts.affected.wrapping_add(ok.affected);
        if ok.insert_id != 0 {
            self.facts.insert_id = ok.insert_id;
        }
        self.facts.warnings = ok.warnings;
        self.facts.status = ok.status;
        self.facts.status_seen |= ok.status;
    }

    /// Whether this is the ERR, numbered 0, by which a server ends a connection (a timeout, a KILL, a shutdown) and which
    /// crossed the command on its way. `None`: not to be told yet.
    fn goodbye(&mut self, header: Header, payload: &[u8]) -> Option<bool> {
        const MAX_GOODBYE: usize = 1024;
        let is_possible = header.seq == 0 && !self.continued && header.len <= MAX_GOODBYE;
        if !is_possible || payload.first().is_some_and(|&first| first != 0xFF) {
            return Some(false);
        }
        let payload = payload.get(..header.len)?;
        Some(self.error(payload) == Some(State::Last))
    }

    fn error(&mut self, payload: &[u8]) -> Option<State> {
        let mut fields = Fields::new(payload);
        fields.u8()?;
        match fields.u16()? {
            // MariaDB's progress report: the reply is still to come.
            0xFFFF => Some(self.state),
            code => {
                self.facts.error = Some(code);
                Some(State::Last)
            }
        }
    }
}

fn after_prepare_eof(left: u8) -> State {
    if left == 0 { State::Last } else { State::PrepareEofs(left) }
}

#[cfg(test)]
mod tests;
