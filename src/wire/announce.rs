//! Which trackers a client may see. tidegate's own backends announce everything; a client sees what the server would
//! have announced to it alone: nothing without `SESSION_TRACK`, else what its own `session_track_*` settings ask for.
//!
//! Only payloads whose status has `SESSION_STATE_CHANGED` differ: an info text without trackers has the same bytes
//! with and without `SESSION_TRACK` (seen on MariaDB 10.11, 11.8 and MySQL 9.7).
//!
//! Two things cannot be had from the backend's packet. MariaDB orders the variables of one statement by the hash of
//! the client's list: here they keep the backend's order. And MySQL sometimes sets the flag and announces nothing
//! (ALTER TABLE of a temporary table while transactions are announced): here the flag is clear then.

use crate::wire::frame::put_lenenc_bytes;
use crate::wire::ok::Ok;
use crate::wire::status::{AUTOCOMMIT, IN_TRANS, SESSION_STATE_CHANGED};
use crate::wire::trackers::{
    Entry, GTIDS, SCHEMA, STATE_CHANGE, SYSTEM_VARIABLES, TRANSACTION_CHARACTERISTICS, TRANSACTION_STATE, Tracked,
};
use crate::wire::variable_names;

/// How a server announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ways {
    /// As MariaDB does.
    pub mariadb: bool,
    /// Of all flags it names one, see [`variable_names`].
    pub one_name_for_flags: bool,
    /// This packet's statement cannot have chosen the schema that is announced, which the client has already: MariaDB notes a
    /// change where it looks into another schema for a moment, and tells it when there is something else to tell.
    pub repeats_schema: bool,
}

/// `session_track_transaction_info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum TransactionInfo {
    /// OFF
    #[default]
    Off,
    /// STATE
    State,
    /// CHARACTERISTICS: the state, and how to begin such a transaction again.
    Characteristics,
}

impl TransactionInfo {
    /// From the variable's value, a word or a number.
    pub fn parse(value: &[u8]) -> Option<Self> {
        match value.to_ascii_uppercase().as_slice() {
            b"OFF" | b"0" => Some(Self::Off),
            b"STATE" | b"1" => Some(Self::State),
            b"CHARACTERISTICS" | b"2" => Some(Self::Characteristics),
            _ => None,
        }
    }
}

/// `session_track_system_variables`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub enum Variables {
    /// An empty list.
    #[default]
    None,
    /// `*`
    All,
    /// These names, as the client wrote them.
    Named(Box<[Box<[u8]>]>),
}

impl Variables {
    /// From the variable's value.
    pub fn parse(value: &[u8]) -> Self {
        let names = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
        let names: Box<[_]> = names.map(Box::from).collect();
        match names.iter().any(|name| **name == *b"*") {
            true => Self::All,
            false if names.is_empty() => Self::None,
            false => Self::Named(names),
        }
    }

    /// Whether the variable of this name is asked for.
    pub fn has(&self, name: &[u8]) -> bool {
        self.named(name).is_some()
    }

    /// The flag that a server names for all of them: the first in the list.
    fn first_flag(&self) -> Option<&[u8]> {
        let Self::Named(names) = self else { return None };
        names.iter().map(|name| &**name).find(|name| variable_names::is_flag(&name.to_ascii_lowercase()))
    }

    /// The name as the client wrote it, if it is asked for.
    fn named<'a>(&'a self, name: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Self::None => None,
            Self::All => Some(name),
            Self::Named(names) => names.iter().map(|own| &**own).find(|own| own.eq_ignore_ascii_case(name)),
        }
    }
}

/// What a client with `SESSION_TRACK` has asked for: its own `session_track_*`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Asked {
    /// `session_track_schema`
    pub schema: bool,
    /// `session_track_state_change`
    pub state_change: bool,
    /// `session_track_gtids` is not OFF
    pub gtids: bool,
    /// `session_track_transaction_info`
    pub transaction: TransactionInfo,
    /// `session_track_system_variables`
    pub variables: Variables,
}

impl Asked {
    /// Takes the new value of one of the variables; false if the name is none of them or the value is not understood.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> bool {
        match (name, is_on(value)) {
            (b"session_track_schema", Some(on)) => self.schema = on,
            (b"session_track_state_change", Some(on)) => self.state_change = on,
            (b"session_track_gtids", _) => self.gtids = is_on(value) != Some(false),
            (b"session_track_system_variables", _) => self.variables = Variables::parse(value),
            (b"session_track_transaction_info", _) => match TransactionInfo::parse(value) {
                Some(info) => self.transaction = info,
                None => return false,
            },
            _ => return false,
        }
        true
    }

    fn any(&self) -> bool {
        self.schema
            || self.state_change
            || self.gtids
            || self.transaction != TransactionInfo::Off
            || self.variables != Variables::None
    }

    /// Whether new characteristics set the flag where nothing is said of them: where the state alone is asked for; and
    /// MySQL's does it too where a transaction is begun in another one, although nothing is asked for.
    fn hears_of_characteristics(&self, status: u16, mariadb: bool) -> bool {
        match self.transaction {
            TransactionInfo::Characteristics => false,
            TransactionInfo::State => true,
            TransactionInfo::Off => !mariadb && status & IN_TRANS != 0,
        }
    }

    /// Whether entries of this kind are asked for; `with_characteristics`: the packet has those too.
    fn wants(&self, kind: u8, mariadb: bool, with_characteristics: bool) -> bool {
        match kind {
            SYSTEM_VARIABLES => self.variables != Variables::None,
            SCHEMA => self.schema,
            STATE_CHANGE => self.state_change,
            GTIDS => self.gtids,
            TRANSACTION_CHARACTERISTICS => self.transaction == TransactionInfo::Characteristics,
            // MySQL tells the state even when it is OFF, where a transaction begins or ends explicitly.
            TRANSACTION_STATE if self.transaction == TransactionInfo::Off => {
                !mariadb && with_characteristics && self.any()
            }
            TRANSACTION_STATE => true,
            _ => false,
        }
    }
}

/// `ON`, `1`, `OFF`, `0`.
pub fn is_on(value: &[u8]) -> Option<bool> {
    match value.to_ascii_uppercase().as_slice() {
        b"ON" | b"1" | b"TRUE" => Some(true),
        b"OFF" | b"0" | b"FALSE" => Some(false),
        _ => None,
    }
}

/// What MySQL last told a client of its transaction that has not asked for that: it tells nothing twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told([u8; 8]);

impl Default for Told {
    /// A login's: there is none.
    fn default() -> Told {
        Told(*b"________")
    }
}

/// Whether a packet with this status looks different to a client than to tidegate.
#[inline]
pub fn differs(status: u16) -> bool {
    status & SESSION_STATE_CHANGED != 0
}

/// Appends to `out` the OK payload (header 0x00 or 0xFE) as a client sees it. `asked`: `None` for a client without
/// `SESSION_TRACK`. `None`, with `out` as it was, if the payload is malformed.
pub fn put_ok(out: &mut Vec<u8>, payload: &[u8], asked: Option<&Asked>, ways: Ways, told: &mut Told) -> Option<()> {
    let tracked = Tracked::parse(payload)?;
    let begin = out.len();
    put_head(out, &tracked);
    let nothing = asked.is_none_or(|asked| !asked.any());
    let kept = if nothing { Kept::Nothing } else { put_kept(out, &tracked, asked?, ways, told) };
    if kept == Kept::Flag || kept == Kept::Some {
        let status = begin + tracked.head.len() - 4;
        out[status + 1] |= (SESSION_STATE_CHANGED >> 8) as u8;
    }
    Some(())
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Kept {
    Nothing,
    /// The flag and an empty block.
    Flag,
    Some,
}

/// The head without the flag, and the info where there is one.
fn put_head(out: &mut Vec<u8>, tracked: &Tracked<'_>) {
    let status = out.len() + tracked.head.len() - 4;
    out.extend_from_slice(tracked.head);
    out[status + 1] &= !((SESSION_STATE_CHANGED >> 8) as u8);
    if !tracked.info.is_empty() {
        put_lenenc_bytes(out, tracked.info);
    }
}

fn put_kept(out: &mut Vec<u8>, tracked: &Tracked<'_>, asked: &Asked, ways: Ways, told: &mut Told) -> Kept {
    let mariadb = ways.mariadb;
    let characteristics = tracked.trackers.entries().any(|entry| entry.kind == TRANSACTION_CHARACTERISTICS);
    // Whether there is something beside the schema.
    let (mut block, mut is_beside) = (Vec::new(), false);
    for entry in tracked.trackers.entries().filter(|entry| asked.wants(entry.kind, mariadb, characteristics)) {
        let before = block.len();
        match entry.kind == TRANSACTION_STATE && asked.transaction == TransactionInfo::Off {
            true => put_begun(&mut block, entry, tracked, told),
            false => put_entry(&mut block, entry, asked, ways, tracked.ok.status),
        }
        is_beside |= entry.kind != SCHEMA && block.len() > before;
    }
    if ways.repeats_schema && !is_beside && tracked.trackers.entries().any(|entry| entry.kind != SCHEMA) {
        block.clear();
    }
    let silent = characteristics && asked.hears_of_characteristics(tracked.ok.status, mariadb);
    if block.is_empty() && !silent {
        return Kept::Nothing;
    }
    if tracked.info.is_empty() {
        out.push(0);
    }
    put_lenenc_bytes(out, &block);
    if block.is_empty() { Kept::Flag } else { Kept::Some }
}

/// A transaction's state where transactions are not to be announced: MySQL follows its beginning and its end, and nothing
/// that is read or written in it (seen on 9.7). A snapshot counts as read.
fn put_begun(block: &mut Vec<u8>, entry: Entry<'_>, tracked: &Tracked<'_>, told: &mut Told) {
    const SNAPSHOT: &[u8] = b"WITH CONSISTENT SNAPSHOT";
    // Whether it is a transaction, and a letter for each sort of access.
    const READ: usize = 2;
    let Some((8, letters)) = entry.content.split_first() else { return };
    let mut characteristics = tracked.trackers.entries().filter(|entry| entry.kind == TRANSACTION_CHARACTERISTICS);
    let has_snapshot = characteristics.any(|entry| entry.content.windows(SNAPSHOT.len()).any(|text| text == SNAPSHOT));
    let mut state = Told::default();
    for (at, (own, letter)) in state.0.iter_mut().zip(letters).enumerate() {
        // That one has begun by itself (I) is not followed either.
        if at == 0 && *letter != b'I' || at == READ && has_snapshot {
            *own = *letter;
        }
    }
    if state != *told {
        *told = state;
        block.push(TRANSACTION_STATE);
        put_lenenc_bytes(block, &[&[8], &state.0[..]].concat());
    }
}

// MySQL writes the names as the client wrote them in its list, MariaDB as it knows them.
fn put_entry(block: &mut Vec<u8>, entry: Entry<'_>, asked: &Asked, ways: Ways, status: u16) {
    if entry.kind != SYSTEM_VARIABLES || asked.variables == Variables::All {
        block.push(entry.kind);
        put_lenenc_bytes(block, entry.content);
        return;
    }
    let mut content = Vec::new();
    for (name, value) in entry.variables().flatten() {
        let flag = ways.one_name_for_flags && variable_names::is_flag(name);
        let (name, value) = match asked.variables.first_flag().filter(|_| flag) {
            // Every status says it.
            Some(first) if first.eq_ignore_ascii_case(b"autocommit") => {
                (&b"autocommit"[..], if status & AUTOCOMMIT != 0 { &b"ON"[..] } else { b"OFF" })
            }
            // A collation and its character set are one, too.
            _ if ways.one_name_for_flags && name == b"collation_connection" && !asked.variables.has(name) => {
                (&b"character_set_connection"[..], variable_names::charset_of(value))
            }
            _ => (name, value),
        };
        if let Some(own) = asked.variables.named(name) {
            put_lenenc_bytes(&mut content, if ways.mariadb { name } else { own });
            put_lenenc_bytes(&mut content, value);
        }
    }
    if !content.is_empty() {
        block.push(SYSTEM_VARIABLES);
        put_lenenc_bytes(block, &content);
    }
}

/// The OK payload's or legacy EOF payload's status without the flag, in place: for a legacy EOF, which has no
/// trackers, and whose flag says nothing that the client could use.
pub fn clear_eof(payload: &mut [u8]) {
    if let [0xFE, _, _, _, high] = payload {
        *high &= !((SESSION_STATE_CHANGED >> 8) as u8);
    }
}

/// The status of an OK payload, for [`differs`].
pub fn status_of(payload: &[u8]) -> Option<u16> {
    Ok::parse(payload).map(|ok| ok.status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ok::with_info;

    const MARIADB: Ways = Ways { mariadb: true, one_name_for_flags: false, repeats_schema: false };
    const MARIADB_1011: &str = include_str!("testdata/ok-mariadb10.11.txt");
    const MARIADB_11: &str = include_str!("testdata/ok-mariadb11.txt");
    const MYSQL_9: &str = include_str!("testdata/ok-mysql9.txt");

    /// One connection's settings and all replies on it, as recorded.
    struct Connection {
        name: &'static str,
        asked: Option<Asked>,
    }

    fn connections(mysql: bool) -> Vec<Connection> {
        let list = |text: &str| Variables::parse(text.as_bytes());
        let by_default = match mysql {
            true => "time_zone,autocommit,character_set_client,character_set_results,character_set_connection",
            false => {
                "autocommit,character_set_client,character_set_connection,character_set_results,time_zone,redirect_url"
            }
        };
        let asked = |schema, variables, state_change, transaction| {
            Some(Asked { schema, state_change, gtids: false, transaction, variables: list(variables) })
        };
        use TransactionInfo::{Characteristics, Off, State};
        let listed = "sql_mode, time_zone,AUTOCOMMIT ,character_set_results,character_set_client";
        let others = "character_set_client,character_set_results,time_zone,sql_mode,sort_buffer_size,timestamp";
        [
            ("plain", None),
            ("default", asked(true, by_default, false, Off)),
            ("list", asked(false, listed, true, State)),
            ("list2", asked(true, others, false, Off)),
            ("none", asked(false, "", false, Off)),
            ("state", asked(false, "", true, Off)),
            ("chars", asked(false, "", false, Characteristics)),
        ]
        .map(|(name, asked)| Connection { name, asked })
        .into()
    }

    /// The OK payloads by statement that were recorded on the connection of this name; its login is left out.
    fn recorded(text: &str, name: &str) -> Vec<(String, Vec<Vec<u8>>)> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
        let read = |line: &str| {
            let (sql, packets) = line.split_once('\t').expect("statement and packets");
            let packets =
                packets.split(' ').filter_map(|packet| packet.strip_prefix("ok:").or(packet.strip_prefix("res:")));
            (sql.to_owned(), packets.map(bytes).collect())
        };
        lines.map(read).filter(|(sql, _): &(String, _)| sql != "<login>").collect()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hexadecimal digits");
        (0..hex.len()).step_by(2).map(digit).collect()
    }

    /// The entries in an order of their own: MariaDB's is the client's hash's.
    fn sorted(payload: &[u8]) -> Option<(Vec<u8>, Vec<u8>, Vec<String>)> {
        let tracked = Tracked::parse(payload)?;
        let mut entries: Vec<_> = tracked.trackers.map(|tracker| format!("{tracker:?}")).collect();
        entries.sort();
        Some((tracked.head.to_vec(), tracked.info.to_vec(), entries))
    }

    fn compare(text: &str, mysql: bool, known: &[(&str, &str)]) -> usize {
        let ways = Ways { mariadb: !mysql, one_name_for_flags: text == MARIADB_11, ..Ways::default() };
        let all = recorded(text, "all");
        let mut compared = 0;
        for Connection { name, mut asked } in connections(mysql) {
            let mut told = Told::default();
            for ((sql, sent), (_, expected)) in all.iter().zip(recorded(text, name)) {
                if let (Some((schema, on)), Some(asked)) = (sql.split_once("_schema="), &mut asked) {
                    assert_eq!(schema, "SET session_track");
                    asked.schema = on == "ON";
                }
                for (payload, expected) in sent.iter().zip(&expected) {
                    let mut seen = Vec::new();
                    put_ok(&mut seen, payload, asked.as_ref(), ways, &mut told).expect("an OK payload");
                    let same = seen == *expected || (!mysql && sorted(&seen) == sorted(expected));
                    assert_ne!(
                        same,
                        known.contains(&(name, sql)),
                        "{name}: {sql}: {payload:x?}\n{seen:x?}\n{expected:x?}"
                    );
                    compared += 1;
                }
            }
        }
        compared
    }

    #[test]
    fn a_client_sees_what_mariadb_would_announce_to_it() {
        // MariaDB 11.8 announces all variables that live in the session alone by the name of the first one it met.
        let pseudo =
            ["insert_id=50", "last_insert_id=9", "timestamp=1000", "timestamp=DEFAULT", "rand_seed1=5, rand_seed2=6"];
        let known = pseudo.map(|set| format!("SET {set}"));
        let known: Vec<_> = known.iter().map(|sql| ("list2", sql.as_str())).collect();
        assert!(compare(MARIADB_1011, false, &[]) > 400);
        assert!(compare(MARIADB_11, false, &known) > 400);
    }

    #[test]
    fn a_client_sees_what_mysql_would_announce_to_it() {
        // The flag without a tracker, of which the whole packet says nothing.
        let known = [("chars", "ALTER TABLE tt ADD b int"), ("none", "SET session_track_schema=ON")];
        assert!(compare(MYSQL_9, true, &known) > 400);
    }

    #[test]
    fn a_schema_that_is_none_of_the_statements_is_told_beside_something_else() {
        let variable = |name: &[u8]| {
            let mut content = Vec::new();
            put_lenenc_bytes(&mut content, name);
            put_lenenc_bytes(&mut content, b"9");
            [&[SYSTEM_VARIABLES, content.len() as u8][..], &content].concat()
        };
        let packet = |entries: &[u8]| {
            let head = [0, 0, 0, 2, (SESSION_STATE_CHANGED >> 8) as u8, 0, 0, 0];
            [&head[..], &[entries.len() as u8], entries].concat()
        };
        let schema = [SCHEMA, 5, 4, b's', b'h', b'o', b'p'];
        let asked = Asked { schema: true, variables: Variables::parse(b"time_zone"), ..Asked::default() };
        let seen = |payload: &[u8], repeats_schema: bool| {
            let mut seen = Vec::new();
            let ways = Ways { repeats_schema, ..MARIADB };
            put_ok(&mut seen, payload, Some(&asked), ways, &mut Told::default()).expect("an OK payload");
            seen
        };
        let beside_unasked = packet(&[&variable(b"lc_time_names")[..], &schema].concat());
        assert_eq!(seen(&beside_unasked, true), [0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(seen(&beside_unasked, false), packet(&schema));
        let beside_asked = packet(&[&variable(b"time_zone")[..], &schema].concat());
        for payload in [packet(&schema), beside_asked] {
            assert_eq!(seen(&payload, true), payload);
        }
    }

    #[test]
    fn without_the_flag_nothing_differs() {
        for text in [MARIADB_1011, MARIADB_11, MYSQL_9] {
            let payloads = recorded(text, "all").into_iter().flat_map(|(_, payloads)| payloads);
            for payload in payloads.filter(|payload| !differs(status_of(payload).expect("a status"))) {
                let mut seen = Vec::new();
                put_ok(&mut seen, &payload, None, Ways::default(), &mut Told::default()).expect("an OK payload");
                assert_eq!(seen, payload);
            }
        }
    }

    #[test]
    fn settings_are_read_as_the_servers_write_them() {
        let mut asked = Asked::default();
        for (name, value) in [
            ("session_track_schema", "ON"),
            ("session_track_state_change", "1"),
            ("session_track_gtids", "OWN_GTID"),
            ("session_track_transaction_info", "state"),
            ("session_track_system_variables", " Time_Zone, sql_mode"),
        ] {
            assert!(asked.set(name.as_bytes(), value.as_bytes()), "{name}");
        }
        assert!(asked.schema && asked.state_change && asked.gtids && asked.transaction == TransactionInfo::State);
        assert!(asked.variables.has(b"time_zone") && !asked.variables.has(b"timestamp"));
        assert!(!asked.set(b"time_zone", b"x") && !asked.set(b"session_track_schema", b"perhaps"));
        assert_eq!(Variables::parse(b"a,*"), Variables::All);
    }

    #[test]
    fn one_flag_is_named_for_all_where_the_server_does_so() {
        let entry = b"\x00\x11\x0dunique_checks\x02ON";
        let payload = [&[0, 0, 0, 2, 0x40, 0, 0, 0, entry.len() as u8][..], entry].concat();
        let shown = |list: &str, one_name_for_flags| {
            let asked = Asked { variables: Variables::parse(list.as_bytes()), ..Asked::default() };
            let (mut seen, ways) = (Vec::new(), Ways { one_name_for_flags, ..MARIADB });
            put_ok(&mut seen, &payload, Some(&asked), ways, &mut Told::default()).expect("an OK payload");
            String::from_utf8_lossy(&seen).into_owned()
        };
        assert!(shown("time_zone,autocommit,sql_notes", true).ends_with("\nautocommit\x02ON"));
        assert!(shown("unique_checks,autocommit", true).ends_with("\x0dunique_checks\x02ON"));
        assert!(!shown("time_zone", true).contains("ON") && !shown("autocommit", false).contains("ON"));
    }

    #[test]
    fn mysql_tells_who_has_not_asked_of_what_was_begun_explicitly() {
        let told_of = |state: &[u8; 8], told: &mut Told| {
            let mut entries = vec![TRANSACTION_CHARACTERISTICS, 1, 0];
            entries.extend_from_slice(&[TRANSACTION_STATE, 9, 8]);
            entries.extend_from_slice(state);
            let payload = [&[0, 0, 0, 2, 0x40, 0, 0, 0, entries.len() as u8][..], &entries[..]].concat();
            let asked = Asked { schema: true, ..Asked::default() };
            let mut seen = Vec::new();
            put_ok(&mut seen, &payload, Some(&asked), Ways::default(), told).expect("an OK payload");
            seen.get(12..).map(|letters| String::from_utf8_lossy(letters).into_owned())
        };
        let mut told = Told::default();
        assert_eq!(told_of(b"I__r____", &mut told), None, "it began by itself");
        assert_eq!(told_of(b"T_______", &mut told).as_deref(), Some("T_______"));
        assert_eq!(told_of(b"T__r____", &mut told), None, "nothing twice");
        assert_eq!(told_of(b"I_______", &mut told).as_deref(), Some("________"), "the explicit one has ended");
    }

    #[test]
    fn a_legacy_eof_loses_the_flag_only() {
        let mut eof = [0xFE, 1, 0, 0x22, 0x60];
        clear_eof(&mut eof);
        assert_eq!(eof, [0xFE, 1, 0, 0x22, 0x20]);
    }

    #[test]
    fn an_entry_of_several_variables_is_cut_down() {
        let entry = b"\x00\x08\x01a\x01x\x01b\x01y";
        let payload = [&[0, 0, 0, 2, 0x40, 0, 0, 0, entry.len() as u8][..], entry].concat();
        let asked = Asked { variables: Variables::parse(b"b"), ..Asked::default() };
        let mut told = Told::default();
        let mut seen = Vec::new();
        put_ok(&mut seen, &payload, Some(&asked), MARIADB, &mut told).expect("an OK payload");
        assert_eq!(seen, b"\x00\x00\x00\x02\x40\x00\x00\x00\x06\x00\x04\x01b\x01y");
        assert_eq!(with_info(&seen, true, b""), Some(seen));
        assert!(put_ok(&mut Vec::new(), &payload[..12], Some(&asked), MARIADB, &mut told).is_none());
    }
}
