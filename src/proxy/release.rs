//! Mode `transaction`: what becomes of a client's backend when a command has ended, when the client is idle, and when
//! somebody else waits for it.

use std::time::Instant;

use crate::net::channel::Channel;
use crate::pool::fate::RetireReason;
use crate::proxy::backend::OF_NOBODY;
use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::routines::read_routines;
use crate::proxy::setup::{Room, role_words};
use crate::proxy::shared::Shared;
use crate::proxy::statement::{self, Rows};
use crate::proxy::unseen::UnseenTriggers;
use crate::session::last::questions;
use crate::session::outcome::Outcome;
use crate::session::quote::is_word;
use crate::session::reason::{Hold, Holds, Pin, Pins};
use crate::session::state::{Collation, ROLE};
use crate::session::user_values;
use crate::sql::flags::Flags;
use crate::wire::capabilities::Capabilities;
use crate::wire::command;
use crate::wire::fault::{ErrPacket, is_of_connection};
use crate::wire::ok::Ok as OkPacket;

/// All that tidegate reads of a session is one row.
const FOUND_BY_OWN: u64 = 1;

impl Session {
    /// A command has ended: a backend that nothing keeps goes back.
    pub(super) fn settle(&mut self, now: Instant) {
        let Some(shared) = &self.shared else { return };
        if !self.lease.is_held() {
            return;
        }
        if shared.is_free() {
            return self.park(now);
        }
        self.parks_later = false;
        let reason = shared.reason();
        if self.held_for != reason {
            self.held_for = reason;
            if let Some(lease) = self.lease.pooled_lease() {
                lease.label(reason, now);
            }
        }
    }

    fn park(&mut self, now: Instant) {
        let Some(shared) = &mut self.shared else { return };
        if self.lease.backend().kept.tired {
            return self.drop_backend(RetireReason::Unclean);
        }
        if !self.admission.leave_backend() {
            self.parks_later = true;
            return;
        }
        self.parks_later = false;
        let kept = &mut self.lease.backend_mut().kept;
        let state = shared.state_there();
        if !kept.state.is_equal(state) {
            kept.state = state.clone();
            kept.baseline = std::sync::Arc::clone(&shared.baseline);
        }
        self.held_for = "";
        self.lease.park(now);
    }

    /// The client is idle: what is not pinned may be taken away from now on.
    pub(super) fn offer(&mut self) {
        let Some(shared) = &mut self.shared else { return };
        // Who asks for diagnostics in a way that only their own backend can answer keeps them there.
        let diagnostics = shared.asks_for_diagnostics && shared.last.unread().has(Hold::Diagnostics);
        let stays = self.stays || self.parks_later || diagnostics;
        if shared.offered || stays || !shared.ledger.pins().is_empty() {
            return;
        }
        if let Some(lease) = self.lease.pooled_lease() {
            lease.offer();
            shared.offered = true;
        }
    }

    /// Whether another client waits for an offered backend.
    pub(super) fn is_asked(&mut self, cx: &std::task::Context<'_>) -> bool {
        let offered = self.shared.as_ref().is_some_and(|shared| shared.offered);
        offered && self.lease.pooled_lease().is_some_and(|lease| lease.poll_asked(cx).is_ready())
    }

    /// Whether nothing but an open transaction of the client's is on its backend alone.
    pub(super) fn is_in_transaction_only(&self) -> bool {
        let only: Pins = [Pin::Transaction].into_iter().collect();
        self.shared.as_ref().is_some_and(|shared| shared.ledger.pins() == only)
    }

    /// Whether nothing of the client's is on its backend alone.
    pub(super) fn can_change_backend(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.ledger.pins().is_empty())
    }

    /// Whether the session goes on where its backend has gone, but for an open transaction: what else there is can be done without.
    pub(super) fn outlives_backend(&self) -> bool {
        let may_change = self.can_change_backend() || self.is_in_transaction_only();
        may_change && self.shared.as_ref().is_some_and(|shared| shared.outlives_backend())
    }

    /// The backend's own id, for records; 0: there is none.
    pub(super) fn record_backend(&self) -> u32 {
        if self.lease.is_held() { self.lease.backend().id } else { 0 }
    }

    /// The client has spoken: it needs its backend.
    pub(super) fn keep(&mut self) {
        let Some(shared) = &mut self.shared else { return };
        if std::mem::take(&mut shared.offered)
            && let Some(lease) = self.lease.pooled_lease()
        {
            lease.keep();
        }
    }

    /// Somebody waits for the backend: what it protects is read, then it goes.
    pub(super) async fn give_up(&mut self) {
        self.keep();
        if !self.lease.is_held() {
            self.parks_later = false;
            return;
        }
        match self.save().await {
            Ok(true) => self.park(Instant::now()),
            Ok(false) => {
                self.stays = true;
                self.settle(Instant::now());
            }
            Err(_) => {
                self.forget();
                self.drop_backend(RetireReason::Broken);
            }
        }
    }

    /// The client is leaving: a backend whose state is known, and that nothing is open on, needs no cleaning.
    pub(super) fn let_go(&mut self) {
        let in_step = self.in_step;
        let Some(shared) = &mut self.shared else { return };
        if !self.lease.is_held() || !in_step || self.lease.foreign {
            return;
        }
        if shared.ledger.must_close() {
            self.in_step = false;
            return;
        }
        let is_known = shared.ledger.pins().is_empty()
            && !shared.ledger.needs_status()
            && !shared.ledger.is_blinded()
            && shared.ledger.variables_to_read().next().is_none()
            && !shared.ledger.holds().has_any(Holds::BEYOND_LAST);
        if is_known && shared.settings_are_known() {
            self.park(Instant::now());
        }
    }

    /// The backend is gone, and with it what it protected.
    pub(super) fn forget(&mut self) {
        if let Some(shared) = &mut self.shared {
            shared.forget();
        }
    }

    /// Whether all is saved, so that the backend can go.
    pub(super) async fn save(&mut self) -> Result<bool, Fault> {
        let Session { lease, shared, proxy, .. } = self;
        let Some(shared) = shared else { return Ok(false) };
        let backend = lease.backend_mut();
        let (mut channel, facts) = backend.borrow();
        let asks_one_row = shared.ledger.routines_to_read().next().is_none();
        let (was_read, was_free) = (shared.last.unread().is_empty(), shared.is_free());
        let saved = read(&mut channel, facts.capabilities, backend.kept.room, shared, &proxy.unseen_triggers).await;
        backend.restore(channel);
        backend.kept.spoiled = true;
        if !asks_one_row {
            // Those statements read tables.
            backend.kept.conditions_of = Some(OF_NOBODY);
        }
        if !was_read && asks_one_row {
            backend.kept.found_rows = Some(FOUND_BY_OWN);
        } else if !was_free {
            backend.kept.found_rows = None;
        }
        if let Some(id) = saved? {
            backend.kept.last_insert_id = Some(id);
        }
        Ok(shared.is_free())
    }
}

impl Session {
    /// Reads what the client's last statement left on its backend, where that is not known: what follows there is tidegate's.
    pub(super) async fn before_own(&mut self) -> Result<(), Fault> {
        let Session { lease, shared, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        let backend = lease.backend_mut();
        let (mut channel, facts) = backend.borrow();
        let was_read = shared.last.unread().is_empty();
        let read = read_last(&mut channel, facts.capabilities, shared).await;
        backend.restore(channel);
        backend.kept.spoiled = true;
        if !was_read {
            backend.kept.found_rows = Some(FOUND_BY_OWN);
        }
        if let Some(id) = read? {
            backend.kept.last_insert_id = Some(id);
        }
        Ok(())
    }

    /// Whether the client's next text cannot be read, or prepared for others too, before it is known how: nobody announces what
    /// this one has set.
    pub(super) fn must_read_settings(&self, flags: Flags) -> bool {
        const HOW_TEXTS_ARE_READ: Flags = Flags::SETS_NAMES.with(Flags::SETS_LEXING).with(Flags::SETS_SYSTEM);
        let Some(shared) = &self.shared else { return false };
        let is_wanted = shared.state.collation() == Collation::Unread || shared.unread && flags.any(HOW_TEXTS_ARE_READ);
        is_wanted && self.may_ask()
    }

    /// In other states a server may refuse to be asked, take it for what was to come, or keep its text; there is a pin then, at least.
    fn may_ask(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.ledger.pins().minus(Pins::OF_THINGS_KEPT).is_empty())
    }

    /// Whether the server has told of values that may have been for the statement alone.
    pub(super) fn must_read_doubted(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| !shared.doubted.is_empty()) && self.may_ask()
    }

    /// Reads what they are now. Not cancel safe.
    pub(super) async fn read_doubted(&mut self) -> Result<(), Fault> {
        self.before_own().await?;
        let Session { lease, shared, .. } = self;
        let Some(shared) = shared else { return Ok(()) };
        let backend = lease.backend_mut();
        let (mut channel, facts) = backend.borrow();
        let read = read_doubted(&mut channel, facts.capabilities, shared).await;
        backend.restore(channel);
        backend.kept.found_rows = None;
        read
    }

    /// Reads the session's settings. Not cancel safe.
    pub(super) async fn read_settings(&mut self) -> Result<(), Fault> {
        let room = self.lease.backend().kept.room;
        let Some(questions) = self.shared.as_ref().map(|shared| shared.questions(room)) else { return Ok(()) };
        let answers = self.run_all(&questions).await?;
        if let Some(shared) = &mut self.shared {
            shared.read(answers, false);
        }
        Ok(())
    }

    /// Runs a statement of tidegate's own between two of the client's, who will not notice. The rows, or the server's refusal.
    /// Not cancel safe.
    pub(super) async fn run_own(&mut self, sql: &str) -> Result<Result<Rows, ErrPacket>, Fault> {
        self.before_own().await?;
        let backend = self.lease.backend_mut();
        let (mut channel, facts) = backend.borrow();
        let done = statement::query(&mut channel, facts.capabilities, sql).await;
        backend.restore(channel);
        if sql.starts_with("SELECT") {
            backend.kept.found_rows = None;
        }
        done
    }

    /// The same for several, of which the server is to refuse none.
    pub(super) async fn run_all(&mut self, statements: &[String]) -> Result<Vec<Rows>, Fault> {
        self.before_own().await?;
        let backend = self.lease.backend_mut();
        let (mut channel, facts) = backend.borrow();
        let done = statement::several(&mut channel, facts.capabilities, statements).await;
        backend.restore(channel);
        backend.kept.found_rows = None;
        done?.into_iter().collect::<Result<_, _>>().map_err(Fault::of_question)
    }
}

/// What the server has told, and may have been for a statement alone.
async fn read_doubted(channel: &mut Channel, caps: Capabilities, shared: &mut Shared) -> Result<(), Fault> {
    let mut names = std::mem::take(&mut shared.doubted);
    names.retain(|name| is_word(name) && !name.starts_with(b"session_track_"));
    // The character set takes its collation away.
    names.sort_by_key(|name| **name == *b"collation_connection");
    let asked: Vec<_> = names.iter().map(|name| format!("@@session.{}", String::from_utf8_lossy(name))).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let rows = statement::query(channel, caps, &format!("SELECT {} LIMIT 1", asked.join(","))).await?;
    let row = rows.ok().and_then(|rows| rows.into_iter().next()).filter(|row| row.len() == names.len());
    match row {
        Some(row) => names.iter().zip(row).for_each(|(name, value)| shared.note_read(name, &value.unwrap_or_default())),
        None => shared.ledger.pin(Pin::UnexplainedState),
    }
    Ok(())
}

/// What the last statement left, before any statement of tidegate's own changes it.
/// Returns LAST_INSERT_ID() as it is on the backend, where it was asked for.
async fn read_last(channel: &mut Channel, caps: Capabilities, shared: &mut Shared) -> Result<Option<u64>, Fault> {
    let holds = shared.last.unread();
    let asked = questions(holds);
    if asked.is_empty() {
        return Ok(None);
    }
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let answers = statement::several(channel, caps, &asked).await?;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>().map_err(Fault::of_question)?;
    shared.last.take(holds, &answers).map_err(|error| Fault::backend(error.to_string()))?;
    if holds.has(Hold::FoundRows) {
        shared.take_found_rows();
    }
    Ok(if holds.has(Hold::LastInsertId) { shared.take_insert_id() } else { None })
}

/// The role that is in force; where its name cannot be written down safely, the backend is kept.
async fn read_role(channel: &mut Channel, caps: Capabilities, shared: &mut Shared) -> Result<(), Fault> {
    let rows = match statement::query(channel, caps, "SELECT CURRENT_ROLE() LIMIT 1").await? {
        Ok(rows) => rows,
        Err(hit) if is_of_connection(hit.code) => return Err(Fault::of_question(hit)),
        Err(_) => {
            // MySQL 5.6 has no roles, and has refused the SET ROLE.
            shared.ledger.saved(Hold::Role);
            return Ok(());
        }
    };
    let role = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten().unwrap_or_default();
    let words = role_words(&role, shared.is_mariadb());
    let noted = words.map(|words| shared.state.set(ROLE, words.as_bytes()).map(drop));
    match noted {
        Some(Ok(())) => shared.ledger.saved(Hold::Role),
        _ => shared.ledger.pin(Pin::Role),
    }
    Ok(())
}

async fn read_user_variables(
    channel: &mut Channel,
    caps: Capabilities,
    room: Room,
    shared: &mut Shared,
) -> Result<(), Fault> {
    let names: Vec<Vec<u8>> = shared.ledger.variables_to_read().map(<[u8]>::to_vec).collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    if names.is_empty() {
        return Ok(());
    }
    let Some(questions) = user_values::questions(&names, room.bytes()) else {
        shared.ledger.pin(Pin::UserVariable);
        return Ok(());
    };
    for (names, sql) in questions {
        let table = statement::table(channel, caps, &sql).await?.map_err(Fault::of_question)?;
        let row = table.rows.first().map(Vec::as_slice).unwrap_or_default();
        if row.is_empty() {
            // Too long to be read, and far too long to be carried.
            shared.ledger.pin(Pin::UserVariable);
            return Ok(());
        }
        let Some(values) = user_values::answers(names, &table.columns, row) else {
            return Err(Fault::backend("the server's answer about user variables cannot be read"));
        };
        for (name, value) in values {
            let is_known = value.is_some();
            let noted = shared.state.set_user(&name, value);
            if !is_known || noted.is_err() {
                shared.ledger.pin(Pin::UserVariable);
            }
        }
    }
    shared.ledger.saved(Hold::UserVariables);
    Ok(())
}

async fn read(
    channel: &mut Channel,
    caps: Capabilities,
    room: Room,
    shared: &mut Shared,
    unseen: &UnseenTriggers,
) -> Result<Option<u64>, Fault> {
    let insert_id = read_last(channel, caps, shared).await?;
    read_rest(channel, caps, room, shared, unseen).await?;
    Ok(insert_id)
}

async fn read_rest(
    channel: &mut Channel,
    caps: Capabilities,
    room: Room,
    shared: &mut Shared,
    unseen: &UnseenTriggers,
) -> Result<(), Fault> {
    if shared.ledger.needs_status() {
        let ok = statement::simple(channel, &[command::PING]).await?.map_err(Fault::of_question)?;
        let status = OkPacket::parse(&ok).unwrap_or_default().status;
        shared.ledger.status(&Outcome { status: Some(status), ..Outcome::default() });
    }
    if shared.ledger.pins().is_empty() && shared.ledger.holds().has(Hold::Routines) {
        read_routines(channel, caps, shared, unseen).await?;
    }
    if !shared.ledger.pins().is_empty() {
        return Ok(());
    }
    if shared.ledger.holds().has(Hold::Role) {
        read_role(channel, caps, shared).await?;
    }
    read_user_variables(channel, caps, room, shared).await?;
    read_doubted(channel, caps, shared).await?;
    if !shared.settings_are_known() {
        let answers = statement::several(channel, caps, &shared.questions(room)).await?;
        let answers = answers.into_iter().collect::<Result<_, _>>().map_err(Fault::of_question)?;
        shared.read(answers, false);
    }
    Ok(())
}
