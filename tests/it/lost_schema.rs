//! A client whose schema was dropped, or taken away, goes on: on another backend what needs no schema runs as on its own, and
//! what needs one hears what became of it.

use crate::crowd::{Client, account, enter, server_of, tidegate};
use crate::servers::Kind;

#[test]
fn a_schema_that_was_dropped() {
    for kind in Kind::here() {
        let server = server_of(kind, &[]);
        server.sql("CREATE DATABASE gone; CREATE TABLE gone.t (a INT)");
        let tidegate = tidegate(&server, 1, "");
        let (mut client, mut other) = (enter(&tidegate), enter(&tidegate));
        client.run("USE gone");
        other.run("DROP DATABASE gone");
        assert_eq!(client.value("SELECT 'goes on'"), "goes on", "{kind}");
        let refused = client.refused("SELECT * FROM t");
        assert_eq!((refused.code, refused.text.as_str()), (1049, "Unknown database 'gone'"), "{kind}");
        let shown = client.rows("SHOW WARNINGS");
        assert_eq!(shown, [["Error", "1049", "Unknown database 'gone'"]], "{kind}");
        other.run("USE crowd");
        let prepared = client.prepare("SELECT * FROM t").map(|_| ()).expect_err("no table without a schema");
        assert_eq!(prepared.code(), Some(1049), "{kind}: {prepared}");
        other.run("CREATE DATABASE gone");
        other.run("CREATE TABLE gone.t (a INT)");
        assert_eq!(client.rows("SELECT COUNT(*), DATABASE() FROM t"), [["0", "gone"]], "{kind}");
    }
}

/// A statement that was prepared in it cannot be prepared there on another backend.
#[test]
fn a_schema_that_a_statement_was_prepared_in() {
    for kind in Kind::here() {
        let server = server_of(kind, &[]);
        let tidegate = tidegate(&server, 2, "");
        let [mut client, mut other, mut third] = [(); 3].map(|()| enter(&tidegate));
        client.run("CREATE DATABASE birth");
        client.run("USE birth");
        let statement = client.prepare("SELECT 'prepared'").expect("a statement");
        client.run("USE crowd");
        client.run("SET sql_mode = 'ANSI_QUOTES'");
        other.run("DROP DATABASE birth");
        // One takes the connection that it is prepared on, the other one leaves another.
        other.run("BEGIN");
        third.run("BEGIN");
        other.run("COMMIT");
        let refused = client.execute(statement, &[]).expect_err("its schema is no more");
        assert_eq!(refused.code(), Some(1049), "{kind}: {refused}");
        let session = client.rows("SELECT DATABASE(), @@sql_mode, @@warning_count");
        assert_eq!(session, [["crowd", "ANSI_QUOTES", "0"]], "{kind}");
    }
}

/// Who has dropped it himself has none from then on.
#[test]
fn a_schema_that_was_ones_own_to_drop() {
    for kind in Kind::here() {
        let server = server_of(kind, &[]);
        let tidegate = tidegate(&server, 1, "");
        let (mut client, mut other) = (enter(&tidegate), enter(&tidegate));
        client.run("CREATE DATABASE own");
        client.run("USE `own`");
        client.run("DROP DATABASE IF EXISTS own");
        other.run("USE crowd");
        assert_eq!(client.refused("SELECT * FROM t").code, 1046, "{kind}: no database selected");
        client.run("USE crowd");
        client.run("CREATE DATABASE own");
        client.run("DROP DATABASE own");
        other.run("DO 1");
        assert_eq!(client.value("SELECT DATABASE()"), "crowd", "{kind}");
    }
}

#[test]
fn a_schema_that_was_taken_away() {
    for kind in Kind::here() {
        let server = server_of(kind, &[]);
        server.sql("CREATE DATABASE theirs; CREATE TABLE theirs.t (a INT)");
        account(&server, "poor", "ALL ON theirs.*");
        let tidegate = tidegate(&server, 1, "");
        let mut client = Client::login(tidegate.address(), "poor", "theirs").expect("a login");
        let mut other = enter(&tidegate);
        client.run("SELECT * FROM t");
        server.sql("REVOKE ALL ON theirs.* FROM poor@'%'");
        other.run("DO 1");
        for _ in 0..2 {
            assert_eq!(client.value("SELECT 'goes on'"), "goes on", "{kind}");
            let refused = client.refused("SELECT * FROM t");
            assert_eq!(refused.code, 1044, "{kind}: {}", refused.text);
            assert!(refused.text.contains("to database 'theirs'"), "{kind}: {}", refused.text);
            other.run("DO 1");
        }
        server.sql("GRANT ALL ON theirs.* TO poor@'%'");
        other.run("DO 1");
        assert_eq!(client.rows("SELECT COUNT(*), DATABASE() FROM t"), [["0", "theirs"]], "{kind}");
    }
}
