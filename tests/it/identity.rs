//! A client has one connection id for life, whatever backend serves it, and KILL by that id hits the right one, or nobody.

use std::collections::HashSet;

use crate::crowd::{
    self, Client, LIMIT, Refusal, account, await_taken, enter, enter_many, eventually, running, server_of,
};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

/// Below are the server's own.
const FIRST_ID: u32 = 0x4000_0000;
const BACKENDS: usize = 2;

#[test]
fn one_id_for_life_on_any_backend() {
    everywhere(|_, tidegate| {
        let mut clients = enter_many(tidegate, 50);
        let ids: HashSet<u32> = clients.iter().map(|client| client.id).collect();
        assert!(ids.len() == clients.len() && ids.iter().all(|&id| id >= FIRST_ID), "{ids:?}");
        for _ in 0..3 {
            for client in &mut clients {
                let id = client.id.to_string();
                assert_eq!(client.rows("SELECT CONNECTION_ID(), connection_id ( )"), [[id.clone(), id.clone()]]);
                assert_eq!(client.rows("SELECT @@pseudo_thread_id"), [[id.clone()]]);
                let statement = client.prepare("SELECT CAST(CONNECTION_ID() AS CHAR)").expect("a statement");
                assert_eq!(client.execute(statement, &[]).expect("a row").rows, [[id.clone()]]);
                client.run("SET @id = CONNECTION_ID()");
                assert_eq!(client.value("SELECT @id"), id);
                assert_eq!(client.value(&format!("SELECT {id} = CONNECTION_ID()")), "1");
            }
            clients.rotate_left(7);
        }
    });
}

#[test]
fn a_processlist_shows_the_clients_own_ids() {
    everywhere(|_, tidegate| {
        let mut client = enter(tidegate);
        let id = client.id.to_string();
        for sql in ["SHOW PROCESSLIST", "show full processlist"] {
            let rows = client.rows(sql);
            assert!(rows.iter().any(|row| row[0] == id), "{sql}: no {id} in {rows:?}");
        }
    });
}

#[test]
fn a_locks_owner_is_the_id_that_was_kept() {
    everywhere(|server, tidegate| {
        server.sql("CREATE TABLE IF NOT EXISTS crowd.owners (id BIGINT, name CHAR(9))");
        let (mut holder, mut other, mut nobody) = (enter(tidegate), enter(tidegate), enter(tidegate));
        for (client, name) in [(&mut holder, "holder"), (&mut nobody, "nobody")] {
            client.run(&format!("INSERT INTO crowd.owners VALUES (CONNECTION_ID(), '{name}')"));
        }
        holder.run("DO GET_LOCK('owned', 0)");
        other.run("SET @lock = 'owned'");
        for lock in ["'owned'", "@lock"] {
            let owner = format!("SELECT name FROM crowd.owners WHERE id = IS_USED_LOCK({lock})");
            assert_eq!(other.rows(&owner), [["holder"]], "{lock}");
            let statement = other.prepare(&owner).expect("a statement");
            assert_eq!(other.execute(statement, &[]).expect("a row").rows, [["holder"]], "{lock}");
        }
        let names =
            other.rows("SELECT IS_USED_LOCK('owned') = id, IS_USED_LOCK('free') = id FROM crowd.owners ORDER BY name");
        assert_eq!(names, [["1", "NULL"], ["0", "NULL"]]);
        // Held by a connection that is no client's.
        let mut direct = Client::login(server.address(), crowd::USER, "").expect("a login");
        direct.run("DO GET_LOCK('direct', 0)");
        let id = direct.id.to_string();
        assert_eq!(other.value(&format!("SELECT IS_USED_LOCK('direct') = CAST('{id}' AS UNSIGNED)")), "1");
        holder.run("DO RELEASE_LOCK('owned')");
        server.sql("DELETE FROM crowd.owners");
    });
}

#[test]
fn the_engines_transactions_have_the_clients_own_ids() {
    everywhere(|server, tidegate| {
        server.sql("CREATE TABLE IF NOT EXISTS crowd.in_trx (a INT PRIMARY KEY) ENGINE=InnoDB");
        let (mut holder, mut other) = (enter(tidegate), enter(tidegate));
        holder.run("BEGIN");
        holder.run(&format!("REPLACE INTO crowd.in_trx VALUES ({})", holder.id));
        let id = holder.id.to_string();
        for list in ["information_schema.INNODB_TRX", "`information_schema`.`innodb_trx` AS t"] {
            assert_eq!(other.rows(&format!("SELECT trx_mysql_thread_id FROM {list}")), [[id.clone()]], "{list}");
            let state = format!("SELECT trx_state FROM {list} WHERE trx_mysql_thread_id = {id}");
            assert_eq!(other.value(&state), "RUNNING", "{list}");
        }
        let own = "SELECT trx_state FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = CONNECTION_ID()";
        assert_eq!(holder.value(own), "RUNNING");
        assert_eq!(other.rows(own), [[""; 1]; 0]);
        holder.run("ROLLBACK");
    });
}

#[test]
fn what_a_client_runs_is_explained_by_its_own_id() {
    everywhere(|server, tidegate| {
        let (mut one, mut other) = (enter(tidegate), enter(tidegate));
        let question = match server.kind() {
            Kind::Mysql56 => return,
            Kind::Mysql9 => format!("EXPLAIN FOR CONNECTION {}", one.id),
            _ => format!("SHOW EXPLAIN FOR {}", one.id),
        };
        one.start("SELECT SLEEP(50) /* to be explained */").expect("a connection");
        eventually("it runs", LIMIT, || running(server, "to be explained") == 1);
        assert_eq!(other.rows(&question).len(), 1, "{question}");
        other.run(&format!("KILL QUERY {}", one.id));
        assert_interrupted(&mut one);
    });
}

#[test]
fn a_query_is_killed_while_the_pool_is_full() {
    everywhere(|server, tidegate| {
        let (mut one, mut two, mut killer) = (enter(tidegate), enter(tidegate), enter(tidegate));
        one.start("SELECT SLEEP(50), 'one' /* to be killed */").expect("a connection");
        two.start("SELECT SLEEP(50), 'two' /* to be left */").expect("a connection");
        eventually("both run", LIMIT, || running(server, "to be killed") + running(server, "to be left") == 2);
        killer.run(&format!("KILL QUERY {}", one.id));
        assert_interrupted(&mut one);
        assert_eq!(running(server, "to be left"), 1, "the other was hit");
        // MySQL 9 has no COM_PROCESS_KILL any more.
        let killed = match server.kind() {
            Kind::Mysql9 => killer.ask(&format!("KILL {}", two.id)),
            _ => killer.command(&[&[0x0C][..], &two.id.to_le_bytes()].concat()),
        };
        killed.unwrap_or_else(|trouble| panic!("{trouble}"));
        let trouble = two.finish().expect_err("a killed connection has no rows");
        assert!(trouble.code().is_none_or(|code| [1317, 1927, 2013, 1053].contains(&code)), "{trouble}");
        eventually("a killed client is closed", LIMIT, || two.is_closed());
        assert_eq!(one.value("SELECT 'goes on'"), "goes on");
        assert_eq!(killer.value("SELECT 'goes on'"), "goes on");
    });
}

#[test]
fn an_idle_client_is_killed_though_it_has_no_backend() {
    everywhere(|_, tidegate| {
        let (mut idle, mut killer) = (enter(tidegate), enter(tidegate));
        idle.run("SELECT 1");
        // Its query is over: nothing happens, and above all nothing to who has its backend now.
        killer.run(&format!("KILL QUERY {}", idle.id));
        assert_eq!(killer.value("SELECT 'not hit'"), "not hit");
        assert_eq!(idle.value("SELECT 'not hit'"), "not hit");
        killer.run(&format!("KILL {}", idle.id));
        eventually("a killed client is closed", LIMIT, || idle.is_closed());
        let unknown = killer.refused(&format!("KILL {}", idle.id));
        assert_eq!((unknown.code, unknown.text), (1094, format!("Unknown thread id: {}", idle.id)));
    });
}

#[test]
fn a_client_in_the_queue_can_be_killed() {
    let server = server_of(Kind::MariaDb1011, &[]);
    let tidegate = crowd::tidegate(&server, 1, "pool.checkout_timeout = \"60s\"");
    let (mut holder, mut waiting, mut killer) = (enter(&tidegate), enter(&tidegate), enter(&tidegate));
    holder.run("BEGIN");
    waiting.start("SELECT 'never'").expect("a connection");
    await_taken(&tidegate, &waiting);
    killer.run(&format!("KILL QUERY {}", waiting.id));
    let trouble = waiting.finish().expect_err("it was killed in the queue");
    assert_eq!(trouble.code(), Some(1317), "{trouble}");
    holder.run("COMMIT");
    assert_eq!(waiting.value("SELECT 'goes on'"), "goes on");
}

#[test]
fn kill_without_the_right_is_refused_in_the_servers_words() {
    everywhere(|server, tidegate| {
        account(server, "weak", "SELECT ON crowd.*");
        let mut strong = enter(tidegate);
        let mut weak = Client::login(tidegate.address(), "weak", "").unwrap_or_else(|trouble| panic!("{trouble}"));
        let mut weak_too = Client::login(tidegate.address(), "weak", "").unwrap_or_else(|trouble| panic!("{trouble}"));
        strong.start("SELECT SLEEP(50) /* of the strong */").expect("a connection");
        eventually("it runs", LIMIT, || running(server, "of the strong") == 1);
        for kill in ["KILL", "KILL QUERY", "kill connection"] {
            let refusal = weak.refused(&format!("{kill} {}", strong.id));
            assert_eq!(refusal, words(1095, "HY000", &format!("You are not owner of thread {}", strong.id)));
        }
        let nobody = FIRST_ID + 900_000_000;
        let refusal = weak.refused(&format!("KILL {nobody}"));
        assert_eq!(refusal, words(1094, "HY000", &format!("Unknown thread id: {nobody}")));
        assert_eq!(running(server, "of the strong"), 1, "it was hit all the same");
        // One's own is another matter.
        weak_too.start("SELECT SLEEP(50) /* of the weak */").expect("a connection");
        eventually("it runs", LIMIT, || running(server, "of the weak") == 1);
        weak.run(&format!("KILL QUERY {}", weak_too.id));
        assert_interrupted(&mut weak_too);
        enter(tidegate).run(&format!("KILL QUERY {}", strong.id));
        assert_interrupted(&mut strong);
    });
}

#[test]
fn a_late_kill_hits_nobody_else() {
    let server = server_of(Kind::MariaDb1011, &[]);
    let tidegate = crowd::tidegate(&server, 1, "pool.checkout_timeout = \"60s\"");
    let (mut target, mut bystander, mut killer) = (enter(&tidegate), enter(&tidegate), enter(&tidegate));
    for round in 0..300 {
        // The target's query ends at about the time of the kill, and the bystander gets the one backend next.
        target.start("SELECT SLEEP(0.002)").expect("a connection");
        killer.start(&format!("KILL QUERY {}", target.id)).expect("a connection");
        bystander.start("SELECT SLEEP(0.003), 'unhurt'").expect("a connection");
        let rows = bystander.finish().unwrap_or_else(|trouble| panic!("round {round}: {trouble}")).rows;
        assert_eq!(rows, [["0", "unhurt"]], "round {round}");
        killer.finish().unwrap_or_else(|trouble| panic!("round {round}: {trouble}"));
        let _ = target.finish();
    }
}

fn words(code: u16, state: &str, text: &str) -> Refusal {
    Refusal { code, state: state.into(), text: text.into() }
}

/// By an error or, as SLEEP has it on some servers, by a row with 1.
fn assert_interrupted(client: &mut Client) {
    match client.finish() {
        Ok(answer) => assert_eq!(answer.rows[0][0], "1"),
        Err(trouble) => assert_eq!(trouble.code(), Some(1317), "{trouble}"),
    }
}

fn everywhere(test: impl Fn(&Server, &Tidegate)) {
    for kind in [Kind::MariaDb1011, Kind::Mysql9, Kind::Mysql56] {
        if kind.is_here() {
            let server = server_of(kind, &[]);
            test(&server, &crowd::tidegate(&server, BACKENDS, "pool.checkout_timeout = \"30s\""));
        }
    }
}
