//! Stored procedures and functions that a client has called: nobody announces whether they have taken a lock or left a value
//! behind. When another client waits for the backend, their text is read, as their caller may read it, and what they call. Where
//! all of it is harmless the backend can go; otherwise its client keeps it.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::net::channel::Channel;
use crate::proxy::error::Fault;
use crate::proxy::shared::Shared;
use crate::proxy::statement::{self, Row, Rows};
use crate::proxy::unseen::UnseenTriggers;
use crate::session::quote::put_name;
use crate::session::reason::{Hold, Pin};
use crate::sql::dialect::Dialect;
use crate::sql::routines::{Body, Routine, body};
use crate::wire::capabilities::Capabilities;
use crate::wire::fault::ErrPacket;

/// More than these are not read for one client.
const MOST: usize = 16;
/// How many rows are asked for.
const MOST_LISTED: usize = 99;
/// The server tells full seconds, and the two clocks are not read at once.
const BLUR: u64 = 2;

impl Shared {
    /// A statement that began then may have called the first one.
    pub(super) fn note_calls(&mut self, at: Instant) {
        self.called_since = match self.ledger.holds().has(Hold::Routines) {
            true => self.called_since.or(Some(at)),
            false => None,
        };
    }
}

/// Reads what the client has called; [`Hold::Routines`] ends, or becomes a pin. Not cancel safe.
pub(super) async fn read_routines(
    channel: &mut Channel,
    caps: Capabilities,
    shared: &mut Shared,
    unseen: &UnseenTriggers,
) -> Result<(), Fault> {
    let called: BTreeSet<Routine> = shared.ledger.routines_to_read().cloned().collect();
    let since = shared.called_since.take();
    // Without autocommit the questions would begin a transaction.
    let is_harmless = match since.filter(|_| shared.autocommits()) {
        Some(since) => Reading::new(shared.dialect, unseen, since).all(channel, caps, called).await?,
        None => false,
    };
    if !is_harmless {
        shared.ledger.pin(Pin::UnexplainedState);
    }
    shared.ledger.saved(Hold::Routines);
    Ok(())
}

struct Reading<'a> {
    dialect: Dialect,
    unseen: &'a UnseenTriggers,
    since: Instant,
    /// What is set by SET: names of the routines' own, unless the server knows them.
    sets: BTreeSet<Box<str>>,
    /// All names in them, tables' among them.
    names: BTreeSet<Box<[u8]>>,
    /// Where the tables may be.
    schemas: BTreeSet<Box<str>>,
    /// One of them writes.
    writes: bool,
}

impl<'a> Reading<'a> {
    fn new(dialect: Dialect, unseen: &'a UnseenTriggers, since: Instant) -> Reading<'a> {
        Reading {
            dialect,
            unseen,
            since,
            sets: BTreeSet::new(),
            names: BTreeSet::new(),
            schemas: BTreeSet::new(),
            writes: false,
        }
    }

    /// Whether all of them are harmless, and all that they call.
    async fn all(
        mut self,
        channel: &mut Channel,
        caps: Capabilities,
        mut next: BTreeSet<Routine>,
    ) -> Result<bool, Fault> {
        let mut known = BTreeSet::new();
        while !next.is_empty() {
            known.extend(next.iter().cloned());
            let Some(questions) = questions(&next).filter(|_| known.len() <= MOST) else { return Ok(false) };
            let answers = statement::several(channel, caps, &questions).await?;
            let Some(called) = self.read(&next, answers) else { return Ok(false) };
            next = called.difference(&known).cloned().collect();
        }
        Ok(self.sets_its_own_alone(channel, caps).await? && self.is_all_there_is(channel, caps).await?)
    }

    async fn sets_its_own_alone(&self, channel: &mut Channel, caps: Capabilities) -> Result<bool, Fault> {
        if self.sets.is_empty() {
            return Ok(true);
        }
        let names: Vec<_> = self.sets.iter().map(|name| format!("'{name}'")).collect();
        let sql = format!("SHOW VARIABLES WHERE Variable_name IN ({})", names.join(","));
        let found = statement::query(channel, caps, &sql).await?;
        Ok(found.is_ok_and(|rows| rows.is_empty()))
    }

    /// Views and triggers may call anything.
    async fn is_all_there_is(&self, channel: &mut Channel, caps: Capabilities) -> Result<bool, Fault> {
        if self.schemas.len() > MOST || self.schemas.iter().any(|schema| schema.contains('\'')) {
            return Ok(false);
        }
        let views = |schema| {
            format!(
                "SELECT table_name FROM information_schema.tables WHERE table_schema='{schema}' AND table_type='VIEW' LIMIT 9999"
            )
        };
        let triggers = |schema| {
            format!(
                "SELECT event_object_table FROM information_schema.triggers WHERE event_object_schema='{schema}' LIMIT 9999"
            )
        };
        let mut questions: Vec<_> = self.schemas.iter().map(views).collect();
        if self.writes {
            questions.extend(self.schemas.iter().map(triggers));
        }
        let answers = statement::several(channel, caps, &questions).await?;
        let is_none = |rows: Rows| rows.len() < 9999 && !rows.iter().any(|row| self.names_it(row));
        Ok(answers.into_iter().all(|rows| rows.is_ok_and(is_none)))
    }

    fn names_it(&self, row: &[Option<Vec<u8>>]) -> bool {
        row.first()
            .is_none_or(|name| name.as_ref().is_none_or(|name| self.names.contains(&name.to_ascii_lowercase()[..])))
    }

    /// What these call; `None`: one of them is not known to be harmless.
    fn read(
        &mut self,
        routines: &BTreeSet<Routine>,
        answers: Vec<Result<Rows, ErrPacket>>,
    ) -> Option<BTreeSet<Routine>> {
        let mut answers = answers.into_iter().collect::<Result<Vec<_>, _>>().ok()?;
        let listed = answers.pop()?;
        is_plainly_told(&listed).then_some(())?;
        let mut called = BTreeSet::new();
        for (routine, rows) in routines.iter().zip(answers) {
            self.is_of_old(routine, &listed).then_some(())?;
            let body = self.body(rows)?;
            self.sets.extend(body.sets);
            self.writes |= body.writes;
            self.names.extend(body.names);
            self.schemas.extend(body.schemas.into_iter().chain(routine.schema.clone()));
            let of_its_schema =
                |call: Routine| Routine { schema: call.schema.or_else(|| routine.schema.clone()), ..call };
            called.extend(body.calls.into_iter().map(of_its_schema));
        }
        Some(called)
    }

    /// Whether it was there, as it is, when it was called.
    fn is_of_old(&self, routine: &Routine, listed: &Rows) -> bool {
        let is_it = |row: &&Vec<Option<Vec<u8>>>| {
            let kind = if routine.is_procedure { "PROCEDURE" } else { "FUNCTION" };
            let texts = [routine.schema.as_deref().unwrap_or_default(), &routine.name, kind];
            row.iter()
                .zip(texts)
                .all(|(value, text)| value.as_ref().is_some_and(|value| value.eq_ignore_ascii_case(text.as_bytes())))
        };
        let age = |row: &Vec<Option<Vec<u8>>>| std::str::from_utf8(row.get(3)?.as_deref()?).ok()?.parse::<u64>().ok();
        let mut found = listed.iter().filter(is_it);
        // Of two schemas whose names differ by case alone nobody knows which one is meant.
        let only = found.next().filter(|_| found.next().is_none());
        only.and_then(age).is_some_and(|age| age >= self.since.elapsed().as_secs().saturating_add(BLUR))
    }

    /// SHOW CREATE's row: name, SQL mode, text, character set.
    fn body(&self, rows: Rows) -> Option<Body> {
        let row: Vec<Vec<u8>> = rows.into_iter().next()?.into_iter().take(4).collect::<Option<_>>()?;
        let [_, modes, text, charset] = row.as_slice() else { return None };
        let has_mode = |mode: &[u8]| modes.split(|byte| *byte == b',').any(|one| one.eq_ignore_ascii_case(mode));
        // In a set of single bytes a byte beyond ASCII may have been white space.
        let is_as_read = is_plain(charset) && (text.is_ascii() || !is_one_of(charset, &[b"latin1"]));
        let dialect = Dialect {
            ansi_quotes: has_mode(b"ANSI_QUOTES"),
            no_backslash_escapes: has_mode(b"NO_BACKSLASH_ESCAPES"),
            ascii_in_wide: false,
            high_space: 0,
            ..self.dialect
        };
        let fires = self.unseen.of(text, dialect).is_some();
        (is_as_read && !has_mode(b"ORACLE") && !fires).then(|| body(text, dialect)).flatten()
    }
}

/// SHOW CREATE of each, and how old they are: asked last, so that nobody makes one anew in between.
fn questions(routines: &BTreeSet<Routine>) -> Option<Vec<String>> {
    let mut questions = Vec::with_capacity(routines.len() + 1);
    let mut wanted = Vec::with_capacity(routines.len());
    for routine in routines {
        let schema = routine.schema.as_deref().filter(|schema| !schema.contains('\''))?;
        let kind = if routine.is_procedure { "PROCEDURE" } else { "FUNCTION" };
        let mut sql = format!("SHOW CREATE {kind} ");
        put_name(&mut sql, schema.as_bytes())?;
        sql.push('.');
        put_name(&mut sql, routine.name.as_bytes())?;
        questions.push(sql);
        wanted.push(format!("routine_schema='{schema}' AND routine_name='{}' AND routine_type='{kind}'", routine.name));
    }
    // Where clocks go back by an hour, one of the two ages is too great.
    let age =
        "LEAST(TIMESTAMPDIFF(SECOND,last_altered,SYSDATE()),UNIX_TIMESTAMP(SYSDATE())-UNIX_TIMESTAMP(last_altered))";
    questions.push(format!(
        "SELECT routine_schema,routine_name,routine_type,CAST({age} AS SIGNED),@@character_set_results,@@sql_select_limit>=9999 \
         FROM information_schema.routines WHERE {} OR routine_type IN ('PACKAGE','PACKAGE BODY') LIMIT {MOST_LISTED}",
        wanted.join(" OR ")
    ));
    Some(questions)
}

/// Whether texts come as they were written (without a character set, NULL, as they are stored), no row of an answer is left out, and
/// no package may be meant by a schema's name.
fn is_plainly_told(listed: &Rows) -> bool {
    let is_told = |row: &Row| {
        let has_plain_texts = row.get(4).is_some_and(|charset| charset.as_deref().is_none_or(is_plain));
        let has_all_rows = row.get(5).is_some_and(|all| all.as_deref() == Some(b"1"));
        let is_package = row.get(2).is_some_and(|kind| kind.as_ref().is_none_or(|kind| kind.starts_with(b"PACKAGE")));
        has_plain_texts && has_all_rows && !is_package
    };
    listed.len() < MOST_LISTED && listed.iter().all(is_told)
}

/// Character sets in which every byte of ASCII is itself, and no other character has one.
fn is_plain(charset: &[u8]) -> bool {
    is_one_of(charset, &[b"utf8", b"utf8mb3", b"utf8mb4", b"latin1", b"ascii"])
}

fn is_one_of(word: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|one| word.eq_ignore_ascii_case(one))
}
