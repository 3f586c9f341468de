//! One command while it is under way: what its record is made of, and how it is sent and answered.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::net::buffer::Buffer;
use crate::proxy::ask::LOOKS_AT_INSERT_ID;
use crate::proxy::error::{Fault, Whose};
use crate::proxy::kill::Mapped;
use crate::proxy::kill_among::Killing;
use crate::proxy::kill_meant::Meant;
use crate::proxy::leaving::Leaving;
use crate::session::answer::{ASKS, Patch};
use crate::session::outcome::Announced;
use crate::sql::effects::Summary;
use crate::sql::flags::Flags;
use crate::sql::verb::Verb;
use crate::stats::record::Outcome;
use crate::stats::timer::QueryTimer;
use crate::wire::capabilities::Capabilities;
use crate::wire::command;
use crate::wire::fault::ErrPacket;
use crate::wire::frame::Header;
use crate::wire::reply::Reply;

/// What one command's record is made of, while it is under way. What is rare is boxed: a client has as many cache lines under way
/// as this is long, and all of them go through the processor's nearest cache with each command.
pub(super) struct Exchange {
    pub(super) code: u8,
    /// Of the command's first packet.
    pub(super) header: Header,
    /// The command stands in the buffer from its first byte to its last; else it streams through.
    pub(super) is_whole: bool,
    pub(super) timer: QueryTimer,
    /// When all that the client waits for was done; `None`: it never was.
    pub(super) done_at: Option<Instant>,
    /// Where the statement stands in the command's buffer.
    pub(super) text: Range<usize>,
    /// The statement's true length.
    pub(super) text_len: u64,
    pub(super) digest: u64,
    /// The text is one plain query, write, or begin or end of a transaction: no KILL, no XA, nothing that runs another text.
    pub(super) is_plain: bool,
    /// The prepared statement that the command names.
    pub(super) statement: Option<u32>,
    /// Bytes of the command, or of its beginning, that stand at the start of the client's buffer until it is over.
    pub(super) kept: usize,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) reply: Reply,
    /// The client has said its last word; it may still listen.
    pub(super) client_ended: bool,
    /// Nothing reaches the client any more.
    pub(super) client_gone: bool,
    /// What its OK packets announced.
    pub(super) announced: Announced,
    /// A legacy EOF said that the session has changed.
    pub(super) changed_at_eof: bool,
    /// What the text does to its session, where backends are shared.
    pub(super) summary: Summary,
    /// What is replaced in the reply.
    pub(super) patch: Option<Box<Patch>>,
    /// Why the backend was held when the command began.
    pub(super) pin_reason: &'static str,
    /// The backend's id of the prepared statement, and the client's.
    pub(super) mapped: Option<(u32, u32)>,
    /// The error that the client was told in its own words for a statement's id.
    pub(super) own_words: Option<Box<ErrPacket>>,
    /// The server had ended the connection before it read the command.
    pub(super) was_not_read: bool,
    /// The ERR that stood behind the whole reply: the server has ended the connection.
    pub(super) goodbye: Option<Box<[u8]>>,
    /// A SET runs in the place of a GET DIAGNOSTICS, which leaves ROW_COUNT() as it was.
    pub(super) sets_instead: bool,
    /// The packet to send in the client's packet's place.
    pub(super) instead: Option<Vec<u8>>,
    /// The reply is needed whole before the client sees it.
    pub(super) holds_reply: bool,
    /// The client knows the statement with another number of columns than the backend, which will not say so.
    pub(super) has_new_columns: bool,
    /// How many results had gone to the client before what is held.
    pub(super) held_from: u32,
    /// What is sent with the command, before it.
    pub(super) prelude: Prelude,
    /// Nothing of the reply is for the client.
    pub(super) discards: bool,
    /// Bytes of the reply that came with the answers to the prelude.
    pub(super) ahead: Option<Box<Buffer>>,
    /// The client goes before the reply has come.
    pub(super) leaving: Leaving,
    /// The text that a PREPARE prepares, where it stands in no string.
    pub(super) prepares: Option<Vec<u8>>,
    /// It was to kill this client, which the server does not know by its id.
    pub(super) meant: Option<Box<Meant>>,
    /// Whom it kills by the server's id.
    pub(super) killing: Option<Box<Mapped>>,
    /// The same for a text of several statements.
    pub(super) among: Option<Box<[Killing]>>,
}

/// Commands of tidegate's own that go to the backend in one write with the client's, each answered by one packet.
#[derive(Default)]
pub(super) struct Prelude {
    /// Their payloads.
    pub payloads: Vec<Vec<u8>>,
    /// The client's command rests on their success: it reads only, and is asked again where one failed.
    pub matters: bool,
    /// One was refused.
    pub failed: bool,
}

impl Exchange {
    /// Whether the command may be on its way before the server has answered a restore: it may be asked again.
    pub(super) fn may_follow_a_restore(&self) -> bool {
        let flags = self.summary.flags;
        self.code == command::QUERY
            && !self.prelude.failed
            && self.summary.statements == 1
            && self.summary.is_read_only()
            && !flags.any(ASKS.with(LOOKS_AT_INSERT_ID).with(Flags::USES_SYSTEM_VARIABLE))
    }

    /// Forgets what the first try brought.
    pub(super) fn start_again(&mut self, capabilities: Capabilities) {
        self.prelude = Prelude { failed: true, ..Prelude::default() };
        self.discards = false;
        self.announced = Announced::default();
        self.changed_at_eof = false;
        self.held_from = 0;
        self.instead = None;
        self.sets_instead = false;
        self.own_words = None;
        self.was_not_read = false;
        self.has_new_columns = false;
        let cursor = self.reply.asks_for_cursor();
        self.reply = Reply::new(command::shape(self.code), capabilities, 1).with_cursor(cursor);
    }

    /// Whether the command provably changes nothing beyond its own session, and no byte of a reply has come: it may be sent once
    /// more. Outside of transactions.
    pub(super) fn may_run_again(&self, fault: &Fault) -> bool {
        let is_harmless = match self.code {
            command::PING | command::INIT_DB | command::STMT_PREPARE => true,
            _ => self.summary.is_read_only() || self.concerns_session_alone(),
        };
        let is_done_nowhere = self.was_not_read || is_harmless && !self.timer.has_first_byte();
        is_done_nowhere && self.is_unanswered(fault)
    }

    /// Whether all that it did was done to the session that is gone with the backend.
    fn concerns_session_alone(&self) -> bool {
        const REACHES_FURTHER: Flags = Flags::SETS_GLOBAL
            .with(Flags::CREDENTIALS)
            .with(Flags::CALLS)
            .with(Flags::UNKNOWN_FUNCTION)
            .with(Flags::SEQUENCE)
            .with(Flags::UNEXPLAINED)
            .with(Flags::EXECUTABLE_COMMENT);
        let is_short = matches!(self.summary.verb, Verb::Begin | Verb::Use | Verb::Set);
        self.summary.statements == 1 && is_short && !self.summary.flags.any(REACHES_FURTHER)
    }

    /// Whether the server has had it for a moment only. A backend that goes later was there when the statement came, and
    /// what its server died of must not be what the next one dies of.
    pub(super) fn is_young(&self) -> bool {
        const SOON: Duration = Duration::from_millis(10);
        self.timer.silent_since().is_none_or(|sent| sent.elapsed() < SOON)
    }

    /// Whether the backend is at fault, and the client has heard nothing yet.
    pub(super) fn is_unanswered(&self, fault: &Fault) -> bool {
        fault.whose == Whose::Backend && self.bytes_out == 0 && self.reply.at_boundary() && !self.client_gone
    }

    pub(super) fn outcome(&self, fault: Option<&Fault>) -> Outcome {
        match fault {
            Some(fault) if fault.whose == Whose::Client => Outcome::ClientGone,
            Some(_) => Outcome::BackendGone,
            None => self.reply.facts.error.map_or(Outcome::Ok, Outcome::Error),
        }
    }
}
