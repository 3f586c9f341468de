//! Whatever a session can set by its name is its own, on every server: no other client finds it on the connection that both use,
//! and it is still there when the other one has used it, or it keeps its connection.

use crate::crowd::{self, Answered, Client};
use crate::raw::{BASE, Raw, connect, text};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// One connection, and nobody waits long for it.
const MORE: &str = "pool.checkout_timeout = \"200ms\"\n";

/// They say nothing of the session, or are the test's own.
const LEFT_OUT: [&str; 14] = [
    "error_count",
    "gtid_next",
    "identity",
    "insert_id",
    "last_insert_id",
    "max_allowed_packet",
    // On MariaDB these two are the server's: see `unseen`.
    "max_relay_log_size",
    "pseudo_thread_id",
    "rand_seed1",
    "rand_seed2",
    "sql_slave_skip_counter",
    "statement_id",
    "timestamp",
    "warning_count",
];

/// What is no number and no switch.
const WORDS: [(&str, &str); 28] = [
    ("alter_algorithm", "'COPY'"),
    ("aria_stats_method", "'nulls_equal'"),
    ("binlog_row_image", "'MINIMAL'"),
    ("block_encryption_mode", "'aes-256-cbc'"),
    ("character_set_client", "'latin2'"),
    ("character_set_connection", "'latin2'"),
    ("character_set_database", "'latin2'"),
    ("character_set_filesystem", "'latin2'"),
    ("character_set_results", "'latin2'"),
    ("character_set_server", "'latin2'"),
    ("collation_connection", "'latin2_bin'"),
    ("collation_database", "'latin2_bin'"),
    ("collation_server", "'latin2_bin'"),
    ("default_storage_engine", "'MyISAM'"),
    ("default_tmp_storage_engine", "'MyISAM'"),
    ("explain_format", "'JSON'"),
    ("lc_messages", "'fr_FR'"),
    ("lc_time_names", "'fr_FR'"),
    ("log_slow_filter", "'filesort'"),
    ("myisam_stats_method", "'nulls_equal'"),
    ("optimizer_switch", "'index_merge=off'"),
    ("optimizer_trace", "'enabled=on'"),
    ("sql_mode", "'ANSI'"),
    ("time_zone", "'+03:00'"),
    ("transaction_isolation", "'SERIALIZABLE'"),
    ("tx_isolation", "'SERIALIZABLE'"),
    ("updatable_views_with_limit", "'NO'"),
    ("use_stat_tables", "'never'"),
];

/// Values that differ from this one, for the server to choose from.
fn others(name: &str, value: &str) -> Vec<String> {
    if let Some((_, word)) = WORDS.iter().find(|(own, _)| *own == name) {
        return vec![(*word).to_owned()];
    }
    let switched = [("ON", "OFF"), ("OFF", "ON"), ("YES", "NO"), ("NO", "YES")];
    if let Some((_, other)) = switched.iter().find(|(own, _)| own.eq_ignore_ascii_case(value)) {
        return vec![(*other).to_owned()];
    }
    if let Ok(number) = value.parse::<i64>() {
        return [number.saturating_add(1), number.saturating_sub(1), number / 2].map(|other| other.to_string()).into();
    }
    value.parse::<f64>().map(|number| format!("{:.3}", number + 0.5)).into_iter().collect()
}

fn show(client: &mut Client, name: &str) -> Answered<String> {
    let answer = client.ask(&format!("SHOW SESSION VARIABLES LIKE '{}'", name.replace('_', "\\_")))?;
    Ok(answer.rows.into_iter().next().and_then(|row| row.into_iter().nth(1)).unwrap_or_default())
}

/// A statement that sets it to another value, and what it is then, direct.
fn change(server: &Server, name: &str, value: &str) -> Option<(String, String)> {
    let mut direct = Client::login(server.address(), crowd::USER, "").expect("a login");
    others(name, value).into_iter().find_map(|other| {
        let set = format!("SET SESSION {name} = {other}");
        direct.ask(&set).ok()?;
        let now = show(&mut direct, name).expect("its value");
        (now != value).then_some((set, now))
    })
}

/// Whether it was carried; it may be pinned instead.
fn is_carried(tidegate: &Tidegate, kind: Kind, name: &str, value: &str, (set, now): (&str, &str)) -> bool {
    let [mut holder, mut neighbour] = [(); 2].map(|()| crowd::enter(tidegate));
    holder.run(set);
    let seen = show(&mut neighbour, name);
    if let Ok(seen) = &seen {
        assert_eq!(seen, value, "{kind}: another client sees: {set}");
    }
    assert_eq!(show(&mut holder, name).expect(name), now, "{kind}: lost: {set}");
    seen.is_ok()
}

fn known(client: &mut Client) -> Vec<[String; 2]> {
    let rows = client.rows("SHOW SESSION VARIABLES").into_iter();
    rows.filter_map(|row| <[String; 2]>::try_from(row).ok()).filter(|[name, _]| !is_left_out(name)).collect()
}

fn known_direct(server: &Server) -> Vec<[String; 2]> {
    known(&mut Client::login(server.address(), crowd::USER, "").expect("a login"))
}

fn is_left_out(name: &str) -> bool {
    LEFT_OUT.contains(&name)
}

/// What a client does, what another one does on the same connection, and what the first one then asks: values that are told by no
/// variable's name.
const UNSEEN: [(&str, &[&str], &str); 5] = [
    ("/*!40101 SET NAMES utf8 */", &["SET character_set_results = utf8"], "SELECT 'described by a collation'"),
    ("SET NAMES utf8", &["SET NAMES latin1"], "SELECT 'the same, said plainly'"),
    ("/*!40101 SET @a = 'x', @b = -1 */", &["SET @a = 2, @b = 'y'"], "SELECT @a, @b"),
    ("DO 1", &["SET @n = 5"], "SELECT @n := COALESCE(@n, 0) + 1 AS n FROM (SELECT 1 UNION SELECT 2 UNION SELECT 3) t"),
    (
        "SET @n = 1",
        &["SET @n = 5"],
        "SELECT @n := COALESCE(@n, 0) + 1 AS n FROM (SELECT 1 UNION SELECT 2 UNION SELECT 3) t",
    ),
];

fn nothing_unseen_is_anothers(kind: Kind) {
    let server = crowd::shared(kind);
    let tidegate = crowd::tidegate(server, 1, MORE);
    for (own, of_another, asked) in UNSEEN {
        let login = |address| Raw::login(connect(address), crowd::USER, "", BASE);
        let mut direct = login(server.address());
        direct.query(own);
        let expected = direct.query(asked);
        let [mut holder, mut neighbour] = [(); 2].map(|()| login(tidegate.address()));
        holder.query(own);
        for sql in of_another {
            neighbour.query(sql);
        }
        let told = holder.query(asked);
        assert_eq!(text(&told), text(&expected), "{kind}: {asked} behind {own}, another having said {of_another:?}");
    }
}

fn all_on(kind: Kind) {
    let server = crowd::shared(kind);
    let tidegate = crowd::tidegate(server, 1, MORE);
    let known = known(&mut crowd::enter(&tidegate));
    // Whoever comes first comes by the connection on which the server was asked what it is.
    assert_eq!(known, known_direct(server), "{kind}: the first client's variables are the login's");
    let known = known.into_iter();
    let of_session = |name: &str| !name.starts_with("session_track_");
    let (mut carried, mut pinned) = (0, Vec::new());
    for [name, value] in known.filter(|[name, _]| of_session(name)) {
        let Some((set, now)) = change(server, &name, &value) else { continue };
        match is_carried(&tidegate, kind, &name, &value, (&set, &now)) {
            true => carried += 1,
            false => pinned.push(name),
        }
    }
    eprintln!("{kind}: {carried} carried, pinned: {}", pinned.join(" "));
    assert!(carried >= 70 && pinned.len() < 30, "{kind}: {carried} carried, pinned: {}", pinned.join(" "));
}

#[test]
fn what_no_variable_says_is_the_sessions_own() {
    Kind::here().into_iter().for_each(nothing_unseen_is_anothers);
}

#[test]
fn every_one_that_mariadb_10_11_has_is_the_sessions_own() {
    all_on(Kind::MariaDb1011);
}

#[test]
fn every_one_that_mariadb_11_has_is_the_sessions_own() {
    Kind::here().into_iter().filter(|kind| *kind == Kind::MariaDb11).for_each(all_on);
}

#[test]
fn every_one_that_mysql_9_has_is_the_sessions_own() {
    Kind::here().into_iter().filter(|kind| *kind == Kind::Mysql9).for_each(all_on);
}

#[test]
fn every_one_that_mysql_5_6_has_is_the_sessions_own() {
    all_on(Kind::Mysql56);
}

/// MariaDB tells of the value that a variable has for one statement, where that changes the session.
#[test]
fn a_value_for_one_statement_ends_with_it() {
    const VALUES: [(&str, &str); 9] = [
        ("sql_mode", "'ANSI_QUOTES'"),
        ("time_zone", "'+03:00'"),
        ("foreign_key_checks", "0"),
        ("max_statement_time", "5"),
        ("sql_select_limit", "1"),
        ("sort_buffer_size", "131072"),
        ("lc_time_names", "'de_DE'"),
        ("sql_log_bin", "0"),
        ("sql_safe_updates", "1"),
    ];
    const RUN: [&str; 6] =
        ["SELECT 5 INTO @x", "SET @x = 6", "USE crowd", "SELECT 7", "DO 1", "SET @x = 8, wait_timeout = 99"];
    for kind in Kind::here().into_iter().filter(|kind| kind.is_mariadb()) {
        let tidegate = crowd::tidegate(crowd::shared(kind), 1, "pool.checkout_timeout = \"30ms\"\n");
        for (name, value) in VALUES {
            let question = format!("SELECT @@{name}");
            let usual = asked(&mut crowd::insist_on_login(tidegate.address()), &question);
            for run in RUN {
                let alone = format!("SET STATEMENT {name} = {value} FOR {run}");
                let prepared =
                    format!("EXECUTE IMMEDIATE {}", alone.replace('\'', "''").replacen("SET", "'SET", 1) + "'");
                for statement in [alone, prepared] {
                    let [mut client, mut other] = [(); 2].map(|()| crowd::insist_on_login(tidegate.address()));
                    crowd::insist(&mut client, statement.as_bytes());
                    // Unless the client has kept its connection.
                    match other.ask(&question) {
                        Ok(answer) => assert_eq!(answer.rows, [[usual.as_str()]], "{kind}: {statement}"),
                        Err(trouble) => assert_eq!(trouble.code(), Some(1040), "{kind}: {statement}"),
                    }
                    assert_eq!(asked(&mut client, &question), usual, "{kind}: {statement}");
                    client.quit();
                }
            }
        }
    }
}

fn asked(client: &mut Client, question: &str) -> String {
    crowd::insist(client, question.as_bytes()).rows.concat().concat()
}
