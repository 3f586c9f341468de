//! SIGHUP and RELOAD: what can change while tidegate runs does, what cannot is named, and a bad file changes nothing.

use std::fs;
use std::time::Duration;

use super::{console, json};
use crate::crowd::{Client, LIMIT, account, enter, eventually, server};
use crate::tidegate::Tidegate;

/// Changes the configuration file by replacing text that is there.
fn change(tidegate: &Tidegate, from: &str, to: &str) {
    let file = tidegate.config_file();
    let text = fs::read_to_string(&file).expect("the file");
    assert!(text.contains(from), "no {from}:\n{text}");
    fs::write(&file, text.replace(from, to)).expect("the file");
}

const CONFIG: &str = "pool.size = 1\npool.max_overflow = 0\npool.checkout_timeout = \"90s\"\n\
                      listen.workers = 1\nlog.level = \"info\"\nslow_log.path = \"slow.log\"\nslow_log.threshold = \"1h\"\n\
                      [[user]]\nname = \"crowd\"\npassword = \"\"\nmax_clients = 9\n";

#[test]
fn a_larger_pool_serves_who_waits_and_the_console_says_what_changed() {
    let server = server(&[]);
    let tidegate = Tidegate::in_front_of(&server, CONFIG);
    let [mut holder, mut waiting] = [(); 2].map(|()| enter(&tidegate));
    holder.run("BEGIN");
    waiting.start("SELECT 'served'").expect("sent");
    eventually("it waits", LIMIT, || json(&tidegate, "/health/db")["queue"] == 1);
    change(&tidegate, "size = 1", "size = 2");
    change(&tidegate, "workers = 1", "workers = 2");
    change(&tidegate, "max_clients = 9", "max_clients = 2");
    let mut console = console(&tidegate);
    let mut told = console.rows("RELOAD");
    told.sort();
    assert_eq!(
        told,
        [
            ["listen.workers", "1", "2", "needs a restart"],
            ["pool.size", "1", "2", "in force"],
            ["user.max_clients (crowd)", "9", "2", "in force"],
        ]
    );
    assert_eq!(waiting.finish().expect("an answer").rows, [["served"]]);
    let refused = Client::login(tidegate.address(), "crowd", "").err().and_then(|trouble| trouble.code());
    assert_eq!(refused, Some(1226));
    assert_eq!(console.rows("SHOW CONFIG LIKE 'pool.size'"), [["pool.size", "2"]]);
    assert_eq!(console.rows("SHOW CONFIG LIKE 'listen.workers'"), [["listen.workers", "1"]], "what is in force");
    assert_eq!(console.rows("RELOAD"), [["listen.workers", "1", "2", "needs a restart"]], "it still does");
}

#[test]
fn a_bad_file_changes_nothing_and_says_so() {
    let server = server(&[]);
    let tidegate = Tidegate::in_front_of(&server, CONFIG);
    let mut console = console(&tidegate);
    change(&tidegate, "size = 1", "size = 0\nsizes = 7");
    let refused = console.refused("RELOAD");
    assert!(
        refused.text.contains("pool.size: 0 is out of range") && refused.text.contains("pool.sizes"),
        "{}",
        refused.text
    );
    tidegate.signal("HUP");
    let log = tidegate.await_log("the configuration is as before", LIMIT);
    assert!(log.contains("pool.sizes: unknown key"), "{log}");
    assert_eq!(console.rows("SHOW CONFIG LIKE 'pool.size'"), [["pool.size", "1"]]);
    assert_eq!(json(&tidegate, "/health/db")["pool_size"], 1);
    assert_eq!(enter(&tidegate).value("SELECT 1"), "1");
}

#[test]
fn a_signal_reloads_users_times_slow_log_and_level() {
    let server = server(&[]);
    account(&server, "later", "ALL ON *.*");
    server.sql("SET PASSWORD FOR later@'%' = PASSWORD('pw')");
    let tidegate = Tidegate::in_front_of(&server, CONFIG);
    let mut client = enter(&tidegate);
    client.run("SELECT 1");
    change(&tidegate, "threshold = \"1h\"", "threshold = \"0s\"");
    change(&tidegate, "level = \"info\"", "level = \"debug\"");
    change(&tidegate, "checkout_timeout = \"90s\"", "checkout_timeout = \"200ms\"\nquery_timeout = \"500ms\"");
    let file = tidegate.config_file();
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, format!("{text}\n[[user]]\nname = \"later\"\npassword = \"pw\"\n")).expect("the file");
    tidegate.signal("HUP");
    let log = tidegate.await_log("reloaded: user.name (later)", LIMIT);
    for key in ["slow_log.threshold: 1h -> 0s", "log.level: info -> debug", "pool.checkout_timeout: 90s -> 200ms"] {
        assert!(log.contains(&format!("reloaded: {key}")), "{key}: {log}");
    }
    assert!(!log.contains("\"pw\"") && log.contains("user.password (later):  -> ***"), "{log}");
    client.run("SELECT 'on record'");
    eventually("the slow log has it", LIMIT, || {
        fs::read_to_string(tidegate.file("slow.log")).is_ok_and(|log| log.contains("on record"))
    });
    drop(enter(&tidegate));
    tidegate.await_log("DEBUG", LIMIT);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let later = runtime.block_on(tidegate.client("later", "pw"));
    let mut console = console(&tidegate);
    let rows = console.rows("SHOW CLIENTS LIKE 'later'");
    assert_eq!(rows[0][7], "", "it is pooled, since its password is known: {rows:?}");
    runtime.block_on(later.disconnect()).expect("a goodbye");
    // A client of before waits no longer than the new time.
    let mut waiting = enter(&tidegate);
    client.run("BEGIN");
    assert_eq!(waiting.refused("SELECT 1").code, 1040);
    client.run("COMMIT");
    let began = std::time::Instant::now();
    let _ = client.ask("SELECT COUNT(*), SLEEP(60)");
    assert!(began.elapsed() < Duration::from_secs(30), "query_timeout is in force");
}
