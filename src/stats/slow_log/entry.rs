//! A slow command's record on its way to the writer: owned, bounded.

use std::borrow::Cow;
use std::time::Duration;

use super::plan::Plan;

use crate::stats::filled::fill;
use crate::stats::record::{Identity, Outcome, Phases, QueryRecord};
use crate::stats::recorder::Fingerprint;
use crate::stats::secrets::may_hold_password;
use crate::stats::tally::{STATUS_NO_GOOD_INDEX_USED, STATUS_NO_INDEX_USED};
use crate::wire::capabilities::Capabilities;
use crate::wire::command;
use crate::wire::parameters::{Execution, LongData};

/// The most bytes of a statement that are written.
const MAX_STATEMENT_BYTES: usize = 1 << 20;

/// A copy of a [`QueryRecord`] that outlives its command.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub identity: Identity,
    pub schema: String,
    pub command: u8,
    pub sql: Vec<u8>,
    pub sql_len: u64,
    pub digest: u64,
    pub phases: Phases,
    pub ended_at: Duration,
    pub rows_sent: u64,
    pub rows_affected: u64,
    pub last_insert_id: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub status: u16,
    pub warnings: u16,
    pub outcome: Outcome,
    pub backend_id: u32,
    pub pin_reason: &'static str,
    execution: Option<Parameters>,
    /// The plan, where it was asked for.
    pub plan: Option<Plan>,
}

/// A copy of an [`Execution`].
#[derive(Debug, Clone)]
struct Parameters {
    payload: Vec<u8>,
    params: u16,
    types: Vec<u8>,
    caps: Capabilities,
    long: Vec<LongData>,
}

impl Entry {
    pub fn new(record: &QueryRecord<'_>) -> Self {
        Entry {
            identity: record.identity.clone(),
            schema: record.schema.to_owned(),
            command: record.command,
            sql: record.sql[..record.sql.len().min(MAX_STATEMENT_BYTES)].to_vec(),
            sql_len: record.sql_len.max(record.sql.len() as u64),
            digest: record.digest,
            phases: record.phases,
            ended_at: record.ended_at,
            rows_sent: record.rows_sent,
            rows_affected: record.rows_affected,
            last_insert_id: record.last_insert_id,
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            status: record.status,
            warnings: record.warnings,
            outcome: record.outcome,
            backend_id: record.backend_id,
            pin_reason: record.pin_reason,
            execution: record.execution.as_ref().map(Parameters::new),
            plan: None,
        }
    }

    /// About how much memory it takes, in bytes.
    pub fn size(&self) -> usize {
        let names = self.schema.len() + self.identity.user.len() + self.identity.host.len();
        let parameters = self.execution.as_ref().map_or(0, Parameters::size);
        size_of::<Entry>() + self.sql.len() + names + parameters
    }

    /// When the command began, since 1970.
    pub fn started_at(&self) -> Duration {
        self.ended_at.saturating_sub(self.phases.total)
    }

    /// The text to be shown: with its parameters, but the fingerprint if texts are redacted or this one may hold a password.
    pub fn text(&self, redact: bool, fingerprint: Fingerprint) -> Cow<'_, [u8]> {
        match (redact || may_hold_password(&self.sql), &self.execution) {
            (true, _) => Cow::Owned(fingerprint(&self.sql).into_bytes()),
            (false, Some(parameters)) => Cow::Owned(fill(&self.sql, &parameters.execution()).text),
            (false, None) => Cow::Borrowed(&self.sql),
        }
    }

    /// What was executed, if it succeeded and all of it is known.
    pub fn executed(&self) -> Option<Cow<'_, [u8]>> {
        let is_whole = self.bytes_cut() == 0 && self.outcome == Outcome::Ok && !may_hold_password(&self.sql);
        let execution = match self.command {
            command::QUERY => None,
            command::STMT_EXECUTE => self.execution.as_ref(),
            _ => return None,
        };
        match execution {
            _ if !is_whole => None,
            None => Some(Cow::Borrowed(&self.sql)),
            Some(parameters) => {
                let filled = fill(&self.sql, &parameters.execution());
                filled.is_exact.then_some(Cow::Owned(filled.text))
            }
        }
    }

    /// How many bytes of the statement are not in `sql`.
    pub fn bytes_cut(&self) -> u64 {
        self.sql_len - self.sql.len() as u64
    }

    pub fn error(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Error(code) => Some(code),
            _ => None,
        }
    }

    pub fn outcome_name(&self) -> &'static str {
        match self.outcome {
            Outcome::Ok => "ok",
            Outcome::Error(_) => "error",
            Outcome::ClientGone => "client_gone",
            Outcome::BackendGone => "backend_gone",
        }
    }

    pub fn no_index_used(&self) -> bool {
        self.status & STATUS_NO_INDEX_USED != 0
    }

    pub fn no_good_index_used(&self) -> bool {
        self.status & STATUS_NO_GOOD_INDEX_USED != 0
    }
}

impl Parameters {
    fn new(execution: &Execution<'_>) -> Self {
        let Execution { payload, params, types, caps, long } = *execution;
        let payload = payload[..payload.len().min(MAX_STATEMENT_BYTES)].to_vec();
        Parameters { payload, params, types: types.to_vec(), caps, long: long.to_vec() }
    }

    fn execution(&self) -> Execution<'_> {
        let Parameters { payload, params, types, caps, long } = self;
        Execution { payload, params: *params, types, caps: *caps, long }
    }

    fn size(&self) -> usize {
        let long = self.long.iter().map(|long| size_of::<LongData>() + long.beginning.len()).sum::<usize>();
        self.payload.len() + self.types.len() + long
    }
}
