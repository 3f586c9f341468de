//! Pins that other commands begin: cursors, long data, files, replication, what tidegate does not know.

use super::{Pair, server};
use crate::crowd::{self, Trouble};
use crate::servers::Kind;

const RESET_CONNECTION: &[u8] = &[0x1F];

fn pairs() -> impl Iterator<Item = Pair> {
    Kind::here().into_iter().map(|kind| Pair::on(server(kind)))
}

#[test]
fn a_cursor_until_its_statement_is_closed() {
    for mut pair in pairs() {
        let statement = pair.holder.prepare("SELECT CAST(a AS CHAR) FROM t").expect("a statement");
        pair.assert_shared("after a prepare");
        pair.holder.execute_as(statement, true, &[]).expect("a cursor");
        pair.assert_pinned(&["cursor"], "with rows left");
        let fetch = [&[0x1C][..], &statement.id.to_le_bytes(), &1u32.to_le_bytes()].concat();
        pair.holder.send_command(&fetch).expect("a connection");
        pair.holder.packet().expect("a row");
        pair.holder.packet().expect("the end of a fetch");
        pair.assert_pinned(&["cursor"], "with rows left after a fetch");
        pair.holder.send_command(&[&[0x19][..], &statement.id.to_le_bytes()].concat()).expect("a connection");
        assert_eq!(pair.holder.value("SELECT 1"), "1");
        pair.assert_shared("after the statement was closed");
    }
}

#[test]
fn a_cursor_until_its_statement_is_reset() {
    for mut pair in pairs() {
        let statement = pair.holder.prepare("SELECT CAST(a AS CHAR) FROM t").expect("a statement");
        pair.holder.execute_as(statement, true, &[]).expect("a cursor");
        pair.assert_pinned(&["cursor"], "with rows left");
        pair.holder.command(&[&[0x1A][..], &statement.id.to_le_bytes()].concat()).expect("a reset");
        pair.assert_shared("after the statement was reset");
        let answer = pair.holder.execute(statement, &[]);
        let answer = answer.unwrap_or_else(|trouble| panic!("{}: {trouble}", pair.kind));
        assert_eq!(answer.rows[0], ["1"]);
    }
}

/// MySQL 9 sends no rows any more to an execution without a cursor, once a statement had one: not even with the server itself.
#[test]
fn nobody_lacks_rows_for_a_cursor_that_was() {
    for mut pair in pairs() {
        let sql = "SELECT CAST(a AS CHAR) FROM t WHERE id = 1";
        let [others, statement] = [&mut pair.other, &mut pair.holder].map(|client| client.prepare(sql).expect(sql));
        pair.holder.execute_as(statement, true, &[]).expect("a cursor");
        let fetch = [&[0x1C][..], &statement.id.to_le_bytes(), &9u32.to_le_bytes()].concat();
        pair.holder.send_command(&fetch).expect("a connection");
        pair.holder.packet().expect("the row");
        pair.holder.packet().expect("the end of a fetch");
        for (client, statement) in [(&mut pair.other, others), (&mut pair.holder, statement)] {
            client.set_patience(crowd::LIMIT);
            let answer = client.execute(statement, &[]);
            let answer = answer.unwrap_or_else(|trouble| panic!("{}: {trouble}", pair.kind));
            assert_eq!(answer.rows, [["1"]], "{}", pair.kind);
        }
    }
}

#[test]
fn long_data_behind_a_cursor() {
    for mut pair in pairs() {
        let statement = pair.holder.prepare("SELECT CONCAT(?, '!')").expect("a statement");
        pair.holder.execute_as(statement, true, &["short"]).expect("a cursor");
        pair.holder.command(&[&[0x1A][..], &statement.id.to_le_bytes()].concat()).expect("a reset");
        let data = [&[0x18][..], &statement.id.to_le_bytes(), &0u16.to_le_bytes(), b"long"].concat();
        pair.holder.send_command(&data).expect("a connection");
        let execute = [&[0x17][..], &statement.id.to_le_bytes(), &[0], &1u32.to_le_bytes(), &[0, 1, 0xFC, 0]].concat();
        pair.holder.send_command(&execute).expect("a connection");
        let row = std::iter::repeat_with(|| pair.holder.packet().expect("a reply").1).nth(3).expect("a row");
        assert!(row.ends_with(b"long!"), "{}: {row:?}", pair.kind);
        pair.holder.packet().expect("the end of the rows");
    }
}

#[test]
fn long_data_until_it_is_executed() {
    for mut pair in pairs() {
        let statement = pair.holder.prepare("SELECT CONCAT(?, '!')").expect("a statement");
        let data = [&[0x18][..], &statement.id.to_le_bytes(), &0u16.to_le_bytes(), b"long"].concat();
        pair.holder.send_command(&data).expect("a connection");
        crowd::await_taken(&pair.tidegate, &pair.holder);
        crowd::eventually("long data pins", crowd::SOON, || crowd::is_dry() || pair.other.ask("SELECT 1").is_err());
        pair.assert_pinned(&["long_data"], "before the execute");
        // A parameter that was sent as long data has no value of its own here.
        let execute = [&[0x17][..], &statement.id.to_le_bytes(), &[0], &1u32.to_le_bytes(), &[0, 1, 0xFC, 0]].concat();
        pair.holder.send_command(&execute).expect("a connection");
        let row = std::iter::repeat_with(|| pair.holder.packet().expect("a reply").1).nth(3).expect("a row");
        assert!(row.ends_with(b"long!"), "{row:?}");
        pair.holder.packet().expect("the end of the rows");
        pair.assert_shared("after the execute");
    }
}

#[test]
fn a_file_while_it_is_being_sent() {
    for mut pair in pairs() {
        pair.holder.start("LOAD DATA LOCAL INFILE 'x' INTO TABLE loaded").expect("a connection");
        let (seq, asked) = pair.holder.packet().expect("a question");
        assert_eq!(asked[0], 0xFB, "{asked:?}");
        if !crowd::is_dry() {
            assert_eq!(pair.other.refused("SELECT 1").code, 1040);
        }
        pair.holder.send(seq + 1, b"one\ntwo\n").expect("a connection");
        pair.holder.send(seq + 2, b"").expect("a connection");
        assert_eq!(pair.holder.finish().expect("an OK").affected, 2);
        pair.assert_shared("after the file");
    }
}

#[test]
fn replication_until_the_connection_ends() {
    let mut pair = Pair::on(server(Kind::MariaDb1011));
    let register = [&[0x15][..], &7u32.to_le_bytes(), &[0, 0, 0], &[0, 0], &[0; 8]].concat();
    pair.holder.command(&register).unwrap_or_else(|trouble| panic!("{trouble}"));
    pair.assert_pinned(&["replication"], "after COM_REGISTER_SLAVE");
    until_it_quits(pair);
}

#[test]
fn an_unknown_command_until_the_connection_ends() {
    for mut pair in pairs() {
        let trouble = pair.holder.command(&[0x77, 1, 2, 3]).expect_err("no server knows it");
        assert_eq!(trouble.code(), Some(1047), "{trouble}");
        pair.assert_pinned(&["unknown_command"], "after an unknown command");
        until_it_quits(pair);
    }
}

#[test]
fn a_reset_of_the_connection_ends_them() {
    for kind in [Kind::MariaDb1011, Kind::Mysql9] {
        if !kind.is_here() {
            continue;
        }
        let mut pair = Pair::on(server(kind));
        for (reason, sql) in [
            ("temporary_table", "CREATE TEMPORARY TABLE tmp (a INT)"),
            ("user_lock", "DO GET_LOCK('reset', 0)"),
            ("sql_prepare", "PREPARE p FROM 'SELECT 1'"),
            ("handler", "HANDLER t OPEN"),
            ("transaction", "BEGIN"),
        ] {
            pair.holder.run(sql);
            pair.assert_pinned(&[reason], sql);
            pair.holder.command(RESET_CONNECTION).expect("a reset");
            pair.assert_shared(&format!("after {sql} and a reset"));
        }
    }
}

fn until_it_quits(pair: Pair) {
    let Pair { holder, mut other, .. } = pair;
    holder.quit();
    crowd::eventually("who quits frees its backend", crowd::LIMIT, || match other.ask("SELECT 1") {
        Ok(_) => true,
        Err(Trouble::Refused(refusal)) => refusal.code != 1040,
        Err(gone) => panic!("{gone}"),
    });
}
