//! Waiting for a backend: in order, not for ever, and with an error that says who has them all.

use std::thread::scope;

use crate::crowd::{await_taken, enter, enter_many, server, tidegate};

#[test]
fn who_waits_too_long_hears_who_has_the_backends() {
    let server = server(&[]);
    server.sql("CREATE TABLE crowd.q (a INT) ENGINE=InnoDB");
    let tidegate = tidegate(&server, 2, "pool.checkout_timeout = \"500ms\"");
    let (mut oldest, mut locker, mut waiting) = (enter(&tidegate), enter(&tidegate), enter(&tidegate));
    oldest.run("BEGIN");
    oldest.run("INSERT INTO crowd.q VALUES (1)");
    assert_eq!(locker.value("SELECT GET_LOCK('queue', 0)"), "1");
    for sql in ["SELECT 1", "INSERT INTO crowd.q VALUES (2)", "BEGIN"] {
        let refusal = waiting.refused(sql);
        assert_eq!((refusal.code, refusal.state.as_str()), (1040, "HY000"), "{}", refusal.text);
        let id = oldest.id.to_string();
        for part in ["transaction 1", "user_lock 1", "has held one for", &id] {
            assert!(refusal.text.contains(part), "no {part:?} in: {}", refusal.text);
        }
    }
    // The refused statements were not run, and the connection goes on where it was.
    oldest.run("COMMIT");
    assert_eq!(waiting.value("SELECT COUNT(*) FROM crowd.q"), "1");
    assert_eq!(locker.value("SELECT RELEASE_LOCK('queue')"), "1");
    waiting.run("INSERT INTO crowd.q VALUES (2)");
    assert_eq!(oldest.value("SELECT COUNT(*) FROM crowd.q"), "2");
}

#[test]
fn a_refused_begin_leaves_no_transaction() {
    let server = server(&[]);
    server.sql("CREATE TABLE crowd.q (a INT) ENGINE=InnoDB");
    let tidegate = tidegate(&server, 1, "pool.checkout_timeout = \"300ms\"");
    let (mut holder, mut waiting) = (enter(&tidegate), enter(&tidegate));
    holder.run("BEGIN");
    assert_eq!(waiting.refused("BEGIN").code, 1040);
    assert_eq!(waiting.refused("SET @kept = 1").code, 1040);
    holder.run("COMMIT");
    waiting.run("INSERT INTO crowd.q VALUES (1)");
    waiting.run("ROLLBACK");
    assert_eq!(waiting.value("SELECT COUNT(*) FROM crowd.q"), "1", "the insert was its own transaction");
    assert_eq!(waiting.value("SELECT @kept"), "NULL", "what was refused did not happen");
}

#[test]
fn first_come_first_served() {
    const WAITING: usize = 30;
    let server = server(&[]);
    server.sql("CREATE TABLE crowd.fifo (place INT AUTO_INCREMENT PRIMARY KEY, who INT)");
    let tidegate = tidegate(&server, 1, "pool.checkout_timeout = \"60s\"\nlisten.workers = 2");
    let mut holder = enter(&tidegate);
    let mut waiting = enter_many(&tidegate, WAITING);
    holder.run("BEGIN");
    for (number, client) in waiting.iter_mut().enumerate() {
        client.start(&format!("INSERT INTO crowd.fifo (who) VALUES ({number})")).expect("a connection");
        await_taken(&tidegate, client);
        // What was read is queued in the same breath, by another thread perhaps.
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    holder.run("COMMIT");
    for client in &mut waiting {
        client.finish().unwrap_or_else(|trouble| panic!("{trouble}"));
    }
    let order = holder.rows("SELECT who FROM crowd.fifo ORDER BY place").concat();
    assert_eq!(order, (0..WAITING).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_client_in_a_loop_does_not_starve_the_others() {
    let server = server(&[]);
    let tidegate = tidegate(&server, 1, "pool.checkout_timeout = \"10s\"");
    let greedy = enter_many(&tidegate, 4);
    let mut modest = enter(&tidegate);
    let done = std::sync::atomic::AtomicBool::new(false);
    scope(|scope| {
        for mut client in greedy {
            let done = &done;
            scope.spawn(move || {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    client.run("SELECT 1");
                }
            });
        }
        // Each waits for its turn; a turn that never comes is an error after ten seconds.
        let served = (0..200).all(|_| modest.ask("SELECT 1").is_ok());
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(served, "starved");
    });
}
