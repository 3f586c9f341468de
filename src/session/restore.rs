//! From what a backend connection's session is to what a client's is: the fewest commands that lead there.
//!
//! One SET holds all variables. The servers check all of its values before they assign the first, and assign them in
//! the order in which they stand: what others depend on comes first, autocommit last. More than every server takes in one
//! statement goes in several, the user variables first: a limit for statements or autocommit is in force behind them all.

use crate::session::baseline::{Baseline, same};
use crate::session::carried::{is_nullable, is_of_charset, is_of_login, rank};
use crate::session::pieces::{ALWAYS_TAKEN, pieces};
use crate::session::quote::{is_word, put_hex, put_name, put_string, put_value};
use crate::session::state::{CLIENT_COLLATION, Collation, ROLE, State, UserValue, is_no_variable};
use crate::wire::announce::{Asked, TransactionInfo, Variables};

/// One command of a restore. They may be sent in one go, but nothing behind [`Step::ChangeUser`] before its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// COM_CHANGE_USER with this schema and the client's character set: a fresh login. A fresh dial does as well.
    ChangeUser(Option<Box<[u8]>>),
    /// COM_SET_OPTION: several statements in one query, or not.
    MultiStatements(bool),
    /// COM_INIT_DB
    InitDb(Box<[u8]>),
    /// COM_QUERY with this SET: ASCII, and the same under any SQL mode and character set.
    Set(String),
}

/// Something of the client's state that cannot be written down as a command: the client must keep its backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unrestorable {
    /// The connection's collation was not read yet.
    #[error("the connection's collation is not known")]
    Collation,
    /// The name of a variable, or a character set, has bytes that a character set could read otherwise.
    #[error("a name cannot be written in every character set")]
    Name,
}

/// A state, and what its login had before anything was set.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// What was set.
    pub state: &'a State,
    /// What was not.
    pub baseline: &'a Baseline,
}

/// The commands that make a backend that stands at `from` one that stands at `to`; none where they are equal.
///
/// [`Step::ChangeUser`] comes alone: what a login has now is to be read behind it, and the way from there asked for again.
pub fn steps(from: Standing<'_>, to: Standing<'_>) -> Result<Vec<Step>, Unrestorable> {
    if from.state == to.state {
        return Ok(Vec::new());
    }
    if to.state.collation() == Collation::Unread {
        return Err(Unrestorable::Collation);
    }
    match needs_login(from.state, to) {
        false => differences(from, to),
        true => Ok(vec![Step::ChangeUser(to.state.schema().map(Box::from))]),
    }
}

/// Whether the way there begins with COM_CHANGE_USER, so that another backend may be the cheaper choice.
pub fn needs_login(from: &State, to: Standing<'_>) -> bool {
    let Standing { state: to, baseline } = to;
    let lost = |name: &[u8]| to.variable(name).is_none() && is_of_login(name) && baseline.get(name).is_none();
    (from.schema().is_some() && to.schema().is_none())
        || (from.variable(ROLE).is_some() && to.variable(ROLE).is_none() && baseline.get(ROLE).is_none())
        || from.variables().any(|(name, _)| lost(name) && !collation_follows(name, to))
}

// character_set_connection, set again, brings its default collation with it.
fn collation_follows(name: &[u8], to: &State) -> bool {
    name == b"collation_connection" && to.variable(b"character_set_connection").is_some()
}

fn differences(from: Standing<'_>, to: Standing<'_>) -> Result<Vec<Step>, Unrestorable> {
    let mut steps = Vec::new();
    if from.state.multi_statements() != to.state.multi_statements() {
        steps.push(Step::MultiStatements(to.state.multi_statements()));
    }
    if let Some(schema) = to.state.schema().filter(|schema| from.state.schema() != Some(*schema)) {
        steps.push(Step::InitDb(schema.into()));
    }
    let mut items = system_items(from, to)?;
    items.sort_by_key(|(rank, _)| *rank);
    let items: Vec<_> = items.into_iter().map(|(_, item)| item).collect();
    steps.extend(sets(items, user_items(from.state, to.state)?).into_iter().map(Step::Set));
    let role =
        |standing: Standing<'_>| standing.state.variable(ROLE).or(standing.baseline.get(ROLE)).map(<[u8]>::to_vec);
    if let Some(role) = role(to).filter(|wanted| role(from).as_ref() != Some(wanted)) {
        let role = &role;
        let role = std::str::from_utf8(role).map_err(|_| Unrestorable::Name)?;
        steps.push(Step::Set(format!("SET ROLE {role}")));
    }
    Ok(steps)
}

fn sets(system: Vec<String>, user: Vec<String>) -> Vec<String> {
    let bytes: usize = system.iter().chain(&user).map(|item| item.len() + 1).sum();
    match bytes < ALWAYS_TAKEN {
        true => pieces("SET ", system.into_iter().chain(user), "", usize::MAX),
        false => pieces("SET ", user.into_iter().chain(system), "", ALWAYS_TAKEN),
    }
}

/// Items of SET with their rank.
fn system_items(from: Standing<'_>, to: Standing<'_>) -> Result<Vec<(u8, String)>, Unrestorable> {
    let mut items = Vec::new();
    let collation = collation_item(from.state, to.state);
    let is_there = |name: &[u8], value: &[u8]| match from.state.variable(name) {
        Some(own) => same(own, value),
        None => from.baseline.is(name, value),
    };
    let client = to.state.variable(CLIENT_COLLATION);
    let client_is_there = client == from.state.variable(CLIENT_COLLATION);
    let results = to.state.variable(b"character_set_results");
    let lacks_results = results.filter(|value| is_names(value) && !is_there(b"character_set_results", value));
    let names = lacks_results.or(client.filter(|value| is_names(value) && !client_is_there));
    if let Some(names) = names {
        // Only SET NAMES brings either about, and brings both.
        if results.into_iter().chain(client).any(|value| is_names(value) && value != names) {
            return Err(Unrestorable::Name);
        }
        items.push((1, names_item(names)?));
    }
    for (name, value) in to.state.variables().filter(|(name, _)| !is_no_variable(name)) {
        let again = name == b"character_set_connection" && collation == Some(CollationItem::CharacterSet)
            || name == b"character_set_client" && !client_is_there;
        let is_to_set = match names {
            // SET NAMES sets all four. MariaDB 11 describes what is made of a character set's name otherwise: it is not set again.
            Some(names) if is_of_charset(name) => !is_brought(name, value, names, to.state),
            _ => again || !is_there(name, value),
        };
        // By its number MySQL takes the collation itself.
        let value = client.filter(|value| name == b"character_set_client" && !is_names(value)).unwrap_or(value);
        if is_to_set {
            items.push((rank(name), system_item(name, Some(value))?));
        }
    }
    let undone = from.state.variables().filter(|(name, _)| to.state.variable(name).is_none() && !is_no_variable(name));
    for (name, own) in undone.filter(|(name, _)| !collation_follows(name, to.state)) {
        let value = to.baseline.get(name);
        if !value.is_some_and(|value| same(own, value)) {
            items.push((rank(name), system_item(name, value)?));
        }
    }
    items.extend(other_login(from, to)?);
    if let (Some(CollationItem::Itself), Some(value)) = (collation, to.state.variable(b"collation_connection"))
        && names.is_none()
        && is_there(b"collation_connection", value)
    {
        items.push((rank(b"collation_connection"), system_item(b"collation_connection", Some(value))?));
    }
    Ok(items)
}

/// What neither has set, and what the one login had otherwise than the other: a SET GLOBAL came in between.
fn other_login(from: Standing<'_>, to: Standing<'_>) -> Result<Vec<(u8, String)>, Unrestorable> {
    if from.state.generation() == to.state.generation() {
        return Ok(Vec::new());
    }
    let untouched = |name: &[u8]| from.state.variable(name).is_none() && to.state.variable(name).is_none();
    let other =
        to.baseline.beyond(from.baseline).filter(|(name, _)| untouched(name) && !is_of_charset(name) && *name != ROLE);
    other.map(|(name, value)| Ok((rank(name), system_item(name, Some(value))?))).collect()
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum CollationItem {
    /// character_set_connection must be set, though it is equal, for its default collation.
    CharacterSet,
    /// The collation must be set, though it is equal: character_set_connection, which is not, takes it away.
    Itself,
}

fn collation_item(from: &State, to: &State) -> Option<CollationItem> {
    let of = |state: &State, name: &[u8]| state.variable(name).map(<[u8]>::to_vec);
    let charset = |state: &State| of(state, b"character_set_connection");
    let named = of(to, b"collation_connection");
    let from_other = of(from, b"collation_connection").is_some() || from.collation() == Collation::Unread;
    match charset(from) == charset(to) {
        true => (named.is_none() && from_other && charset(to).is_some()).then_some(CollationItem::CharacterSet),
        false => named.map(|_| CollationItem::Itself),
    }
}

/// MariaDB has results described by a collation that is not the character set's own where SET NAMES or a login named it,
/// and only SET NAMES brings that about again: the value of character_set_results is those words then.
fn is_names(value: &[u8]) -> bool {
    value.windows(9).any(|window| window == b" COLLATE ")
}

/// Whether SET NAMES of these words gives the variable this value.
fn is_brought(name: &[u8], value: &[u8], names: &[u8], to: &State) -> bool {
    let (charset, collation) = charset_and_collation(names);
    match name {
        b"character_set_client" => to.variable(CLIENT_COLLATION) == Some(names),
        b"character_set_results" => value == names,
        // Set by itself, it has taken the collation away that SET NAMES brings.
        b"character_set_connection" => same(charset, value) && to.variable(b"collation_connection").is_some(),
        b"collation_connection" => {
            same(collation, value) && to.variable(b"character_set_connection").is_none_or(|own| same(charset, own))
        }
        _ => false,
    }
}

fn charset_and_collation(names: &[u8]) -> (&[u8], &[u8]) {
    let mut words = names.split(|byte| *byte == b' ');
    (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default())
}

fn names_item(names: &[u8]) -> Result<String, Unrestorable> {
    let (charset, collation) = charset_and_collation(names);
    let words = [charset, collation].map(|word| String::from_utf8_lossy(word).into_owned());
    match is_word(charset) && is_word(collation) {
        true => Ok(format!("NAMES {} COLLATE {}", words[0], words[1])),
        false => Err(Unrestorable::Name),
    }
}

fn system_item(name: &[u8], value: Option<&[u8]>) -> Result<String, Unrestorable> {
    let mut item = String::from("@@session.");
    put_name(&mut item, name).ok_or(Unrestorable::Name)?;
    item.push('=');
    match value {
        None => item.push_str("DEFAULT"),
        Some(b"") if is_nullable(name) => item.push_str("NULL"),
        // A word of its own there, and refused as a string.
        Some(value) if name == b"system_versioning_asof" && value.eq_ignore_ascii_case(b"default") => {
            item.push_str("DEFAULT");
        }
        // A name, and be it a number.
        Some(value) if name == b"default_master_connection" => put_string(&mut item, value),
        Some(value) => put_value(&mut item, value),
    }
    Ok(item)
}

/// User variables never come before the character sets, but do not depend on them either.
fn user_items(from: &State, to: &State) -> Result<Vec<String>, Unrestorable> {
    let find = |state: &State, name: &[u8]| {
        state.user_variables().find(|(own, _)| *own == name).map(|(_, value)| value.clone())
    };
    let set = to.user_variables().filter(|(name, value)| find(from, name).as_ref() != Some(*value));
    let mut items = set.map(|(name, value)| user_item(name, Some(value))).collect::<Result<Vec<_>, _>>()?;
    for (name, _) in from.user_variables().filter(|(name, _)| find(to, name).is_none()) {
        items.push(user_item(name, None)?);
    }
    Ok(items)
}

fn user_item(name: &[u8], value: Option<&UserValue>) -> Result<String, Unrestorable> {
    let mut item = String::from("@");
    put_name(&mut item, name).ok_or(Unrestorable::Name)?;
    item.push('=');
    let is_null = |text: &[u8]| text.eq_ignore_ascii_case(b"null");
    match value {
        // A variable that becomes NULL keeps the character set of its value before; a new one is binary.
        None => item = format!("{item}X'',{item}NULL"),
        Some(UserValue::Literal(text)) if is_null(text) => item = format!("{item}X'',{item}NULL"),
        Some(UserValue::Literal(text)) => item.push_str(&String::from_utf8_lossy(text)),
        Some(UserValue::Text { bytes, client, connection, collation }) => {
            put_text(&mut item, bytes, client, connection, collation.as_deref())?;
        }
    }
    Ok(item)
}

// The value as the server made it: from the client's character set to the connection's, in its collation.
fn put_text(
    item: &mut String,
    bytes: &[u8],
    client: &[u8],
    connection: &[u8],
    collation: Option<&[u8]>,
) -> Result<(), Unrestorable> {
    if ![client, connection].into_iter().chain(collation).all(is_word) {
        return Err(Unrestorable::Name);
    }
    item.push_str("CONVERT(_");
    item.push_str(&String::from_utf8_lossy(client));
    item.push(' ');
    put_hex(item, bytes);
    item.push_str(" USING ");
    item.push_str(&String::from_utf8_lossy(connection));
    item.push(')');
    // The collation `binary` is the character set's only one, and no name where MariaDB wants a collation's.
    if let Some(collation) = collation.filter(|name| !name.eq_ignore_ascii_case(b"binary")) {
        item.push_str(" COLLATE ");
        item.push_str(&String::from_utf8_lossy(collation));
    }
    Ok(())
}

/// Each system variable that [`steps`] would set, in a SET of its own, with its name: to find the one that a server refuses.
pub fn one_by_one(from: Standing<'_>, to: Standing<'_>) -> Vec<(Vec<u8>, String)> {
    let differs = |name: &[u8], value: &[u8]| match from.state.variable(name) {
        Some(own) => !same(own, value),
        None => !from.baseline.is(name, value),
    };
    let wanted = to.state.variables().filter(|(name, value)| !is_no_variable(name) && differs(name, value));
    let item = |name: &[u8], value: &[u8]| match is_names(value) && name == b"character_set_results" {
        true => names_item(value),
        false => system_item(name, Some(value)),
    };
    wanted.filter_map(|(name, value)| Some((name.to_vec(), format!("SET {}", item(name, value).ok()?)))).collect()
}

/// The tracker settings that tidegate itself wants of a backend; to be sent after the login and after every reset or
/// change of user, and after a client's own SET of them. `variables`: `*`, or a list of names.
pub fn own_trackers(variables: &str, transactions: bool) -> String {
    let mut sql =
        String::from("SET session_track_schema=1,session_track_state_change=1,session_track_system_variables=");
    put_string(&mut sql, variables.as_bytes());
    let info = if transactions { "CHARACTERISTICS" } else { "OFF" };
    sql + ",session_track_transaction_info='" + info + "'"
}

/// The tracker settings of a client's own.
pub fn client_trackers(asked: &Asked) -> String {
    let names = match &asked.variables {
        Variables::None => Vec::new(),
        Variables::All => b"*".to_vec(),
        Variables::Named(names) => names.join(&b','),
    };
    let mut sql = format!(
        "SET session_track_schema={},session_track_state_change={},session_track_system_variables=",
        u8::from(asked.schema),
        u8::from(asked.state_change)
    );
    put_string(&mut sql, &names);
    let info = match asked.transaction {
        TransactionInfo::Off => "OFF",
        TransactionInfo::State => "STATE",
        TransactionInfo::Characteristics => "CHARACTERISTICS",
    };
    sql + ",session_track_transaction_info='" + info + "'"
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn baseline() -> Baseline {
        Baseline::new([("character_set_client", &b"latin1"[..]), ("wait_timeout", b"28800")])
    }

    fn way(from: &State, to: &State) -> Result<Vec<Step>, Unrestorable> {
        let baseline = &baseline();
        steps(Standing { state: from, baseline }, Standing { state: to, baseline })
    }

    fn is_login(from: &State, to: &State) -> bool {
        needs_login(from, Standing { state: to, baseline: &baseline() })
    }

    fn state(schema: Option<&str>, variables: &[(&str, &str)], users: &[(&str, &str)]) -> State {
        let mut state = State::fresh(1, schema.map(str::as_bytes), true);
        for (name, value) in variables {
            state.set(name.as_bytes(), value.as_bytes()).expect("room");
        }
        for (name, value) in users {
            let value = UserValue::Literal(value.as_bytes().into());
            state.set_user(name.as_bytes(), Some(value)).expect("room");
        }
        state
    }

    fn text(from: &State, to: &State) -> String {
        match way(from, to) {
            Ok(steps) => steps.iter().map(|step| format!("{step:?}")).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_set_names_brings_is_not_set_again() {
        let to = |more: &[(&str, &str)]| {
            let results = ("character_set_results", "utf8mb3 COLLATE utf8mb3_bin");
            let client = [("character_set_client", "utf8mb3"), ("client_collation", "utf8mb3 COLLATE utf8mb3_bin")];
            let names = [results, client[0], client[1]];
            state(None, &[&names[..], more].concat(), &[])
        };
        let way = |to: &State| text(&state(None, &[], &[]), to);
        let connection = ("character_set_connection", "utf8mb3");
        let brought = "Set(\"SET NAMES utf8mb3 COLLATE utf8mb3_bin";
        assert_eq!(way(&to(&[connection, ("collation_connection", "utf8mb3_bin")])), format!("{brought}\")"));
        // Another collation, and the character set's own.
        let other = "@@session.`collation_connection`='utf8mb3_general_ci'";
        let of_other = to(&[connection, ("collation_connection", "utf8mb3_general_ci")]);
        assert_eq!(way(&of_other), format!("{brought},{other}\")"));
        let again = "@@session.`character_set_connection`='utf8mb3'";
        assert_eq!(way(&named(to(&[connection]), None)), format!("{brought},{again}\")"));
    }

    #[test]
    fn what_the_clients_character_set_stands_for_is_carried() {
        const NAMED: &str = "latin1 COLLATE latin1_bin";
        let client = |stands_for: Option<&'static str>, results| {
            let sets = [("character_set_client", "latin1"), ("character_set_results", results)];
            state(
                None,
                &[&sets[..], &stands_for.map(|named| ("client_collation", named)).into_iter().collect::<Vec<_>>()]
                    .concat(),
                &[],
            )
        };
        let plain = client(None, "latin1");
        assert_eq!(
            text(&client(Some(NAMED), "latin1"), &plain),
            "Set(\"SET @@session.`character_set_client`='latin1'\")"
        );
        let results = "@@session.`character_set_results`='latin1'";
        assert_eq!(text(&plain, &client(Some(NAMED), "latin1")), format!("Set(\"SET NAMES {NAMED},{results}\")"));
        assert_eq!(text(&plain, &client(Some(NAMED), NAMED)), format!("Set(\"SET NAMES {NAMED}\")"));
        let itself = "@@session.`character_set_client`='latin1'";
        assert_eq!(text(&plain, &client(None, NAMED)), format!("Set(\"SET NAMES {NAMED},{itself}\")"));
        assert_eq!(text(&plain, &client(Some("47"), "latin1")), "Set(\"SET @@session.`character_set_client`=47\")");
        let other = client(Some("latin1 COLLATE latin1_german1_ci"), NAMED);
        assert_eq!(way(&plain, &other), Err(Unrestorable::Name), "no SET NAMES brings both");
    }

    fn named(mut state: State, collation: Option<&str>) -> State {
        state.names(collation.map(str::as_bytes)).expect("room");
        state
    }

    #[test]
    fn equal_states_need_nothing() {
        let state = state(Some("db"), &[("time_zone", "SYSTEM")], &[("a", "1")]);
        assert_eq!(way(&state, &state.clone()), Ok(vec![]));
    }

    #[test]
    fn one_set_brings_all_variables_in_order() {
        let from = state(Some("a"), &[("max_error_count", "5")], &[("gone", "1")]);
        let to =
            state(Some("b"), &[("autocommit", "OFF"), ("time_zone", "+02:00"), ("sql_mode", "")], &[("n", "-1.5")]);
        assert_eq!(
            text(&from, &to),
            "InitDb([98]) Set(\"SET @@session.`sql_mode`='',@@session.`time_zone`='+02:00',\
             @@session.`max_error_count`=DEFAULT,@@session.`autocommit`='OFF',@`n`=-1.5,@`gone`=X'',@`gone`=NULL\")"
        );
    }

    #[test]
    fn the_value_at_login_is_not_always_the_default() {
        let fresh = state(None, &[], &[]);
        let from = state(None, &[("wait_timeout", "5"), ("character_set_client", "utf8")], &[]);
        assert_eq!(
            text(&from, &fresh),
            "Set(\"SET @@session.`character_set_client`='latin1',@@session.`wait_timeout`=28800\")"
        );
        let from = state(None, &[("character_set_results", "")], &[]);
        assert_eq!(text(&from, &fresh), "ChangeUser(None)", "not in the baseline");
        assert_eq!(text(&fresh, &from), "Set(\"SET @@session.`character_set_results`=NULL\")");
    }

    #[test]
    fn no_schema_needs_a_login() {
        let none = state(None, &[("time_zone", "SYSTEM")], &[]);
        let some = state(Some("db"), &[("time_zone", "SYSTEM")], &[]);
        assert_eq!(text(&none, &some), "InitDb([100, 98])");
        assert_eq!(text(&some, &none), "ChangeUser(None)");
        assert!(is_login(&some, &none) && !is_login(&none, &some));
    }

    #[test]
    fn a_later_logins_values_are_set_where_the_client_had_others() {
        let [old, new] = [("5", "a"), ("6", "a")].map(|(one, two)| {
            Baseline::new([("div_precision_increment", one.as_bytes()), ("sql_mode", two.as_bytes())])
        });
        let (before, after) = (State::fresh(1, None, true), State::fresh(2, None, true));
        let (before, after) = (Standing { state: &before, baseline: &old }, Standing { state: &after, baseline: &new });
        let set = |value| Ok(vec![Step::Set(format!("SET @@session.`div_precision_increment`={value}"))]);
        assert_eq!(steps(before, after), set(6));
        assert_eq!(steps(after, before), set(5));
    }

    #[test]
    fn the_collation_follows_its_character_set() {
        let set = |collation| named(state(None, &[("character_set_connection", "utf8mb4")], &[]), collation);
        let latin = named(state(None, &[("character_set_connection", "latin1")], &[]), None);
        let both = "@@session.`character_set_connection`='utf8mb4',@@session.`collation_connection`='utf8mb4_bin'";
        assert_eq!(text(&latin, &set(Some("utf8mb4_bin"))), format!("Set(\"SET {both}\")"));
        let charset = "Set(\"SET @@session.`character_set_connection`='utf8mb4'\")";
        assert_eq!(text(&set(Some("utf8mb4_bin")), &set(None)), charset, "equal, but for the collation");
        assert_eq!(text(&latin, &set(None)), charset);
        let other = named(state(None, &[("character_set_connection", "utf8")], &[]), Some("utf8mb4_bin"));
        assert_eq!(text(&other, &set(Some("utf8mb4_bin"))), format!("Set(\"SET {both}\")"), "taken away by the other");
        let unread = state(None, &[("character_set_connection", "utf8mb4")], &[]);
        assert_eq!(text(&latin, &unread), "the connection's collation is not known");
        assert_eq!(text(&unread, &set(None)), charset);
    }

    #[test]
    fn strings_of_user_variables_keep_character_set_and_collation() {
        let mut to = named(state(None, &[("character_set_connection", "utf8mb4")], &[]), Some("utf8mb4_bin"));
        to.set(b"character_set_client", b"latin1").expect("room");
        let from = to.clone();
        let value = to.user_literal(b"'\xE9'", Default::default());
        to.set_user(b"a", value).expect("room");
        let expected = "Set(\"SET @`a`=CONVERT(_latin1 X'E9' USING utf8mb4) COLLATE utf8mb4_bin\")";
        assert_eq!(text(&from, &to), expected);
    }

    #[test]
    fn names_that_could_be_misread_keep_the_backend() {
        assert_eq!(way(&state(None, &[], &[]), &state(None, &[], &[("a`b", "1")])), Err(Unrestorable::Name));
    }

    proptest! {
        #[test]
        fn a_restore_names_each_variable_once(
            from in proptest::collection::vec((0..6usize, 0..3u8), 0..8),
            to in proptest::collection::vec((0..6usize, 0..3u8), 0..8),
        ) {
            const NAMES: [&str; 6] =
                ["sql_mode", "character_set_client", "character_set_connection", "collation_connection", "time_zone", "autocommit"];
            let build = |changes: &[(usize, u8)]| {
                let mut state = State::fresh(1, None, true);
                for &(name, value) in changes {
                    state.set(NAMES[name].as_bytes(), &[b'a' + value]).expect("room");
                }
                state.names(state.variable(b"collation_connection").map(<[u8]>::to_vec).as_deref()).expect("room");
                state
            };
            let (from, to) = (build(&from), build(&to));
            let found = way(&from, &to).expect("a way");
            prop_assert_eq!(found.is_empty(), from == to);
            let set = found.iter().find_map(|step| if let Step::Set(sql) = step { Some(sql.clone()) } else { None });
            let set = set.unwrap_or_default();
            for (at, name) in NAMES.iter().enumerate() {
                let quoted = format!("`{name}`=");
                prop_assert!(set.matches(&quoted).count() <= 1, "{}", set);
                let later = NAMES[at + 1..].iter().filter_map(|later| set.find(&format!("`{later}`=")));
                prop_assert!(set.find(&quoted).is_none_or(|here| later.into_iter().all(|there| here < there)), "{}", set);
            }
        }
    }
}
