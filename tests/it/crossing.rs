//! No byte of one client ever reaches another: many read and write what only they could have written, while some are
//! killed, some vanish and some run out of patience. One foreign byte fails it.
//!
//! `LONG=600` runs it for so many seconds, `TIDEGATE_SEED=7` from another seed.

mod deeds;
mod writer;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::crowd::{self, wish};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;
use writer::Writer;

const WRITERS: usize = 64;
const BACKENDS: usize = 16;
const USUAL: Duration = Duration::from_secs(20);
/// Fewer prove nothing: a busy machine takes longer for them, up to [`PATIENCE`] times as long.
const LEAST_STATEMENTS: u32 = 2_000;
const PATIENCE: u32 = 10;

/// What all writers of a run share.
struct Scene {
    tidegate: Tidegate,
    _server: Server,
    /// The connection ids of those who may be killed, by their number; 0: not there at the moment.
    mortals: Vec<AtomicU32>,
    statements: AtomicU32,
    kills: AtomicU32,
    /// Gone without a word, for want of patience or of manners.
    vanished: AtomicU32,
    began: Instant,
    duration: Duration,
    failed: AtomicBool,
}

impl Scene {
    /// Until the time is over and enough was done, or something failed.
    fn goes_on(&self) -> bool {
        let so_far = self.began.elapsed();
        let too_few = self.statements.load(Ordering::Relaxed) <= LEAST_STATEMENTS && so_far < self.duration * PATIENCE;
        (so_far < self.duration || too_few) && !self.failed.load(Ordering::Relaxed)
    }
}

#[test]
fn nobody_reads_what_another_wrote() {
    for kind in [Kind::MariaDb1011, Kind::Mysql9] {
        if kind.is_here() {
            run(kind, crowd::duration(USUAL));
        }
    }
}

#[test]
fn a_foreign_value_is_noticed() {
    let scene = scene(Kind::MariaDb1011, Duration::from_secs(60));
    let mut writer = Writer::new(&scene, 1, 1);
    writer.tag = "w1d1".into();
    deeds::user_variable(&mut writer).expect("a server");
    deeds::remembers(&mut writer).expect("its own value");
    writer.client.run("SET @mine = 'w2d1'");
    let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| deeds::remembers(&mut writer)));
    let noticed = seen.map(|_| ()).expect_err("what another wrote was taken for one's own");
    let noticed = noticed.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(noticed.contains("w2d1"), "{noticed}");
}

fn run(kind: Kind, duration: Duration) {
    let scene = Arc::new(scene(kind, duration));
    let seed = wish("TIDEGATE_SEED").and_then(|text| text.parse().ok()).unwrap_or(1);
    let first_failure = Arc::new(Mutex::new(None));
    let writers = (0..WRITERS).map(|number| {
        let (scene, first_failure) = (Arc::clone(&scene), Arc::clone(&first_failure));
        let writer = thread::Builder::new().name(format!("writer {number}"));
        writer.spawn(move || {
            let work = || Writer::new(&scene, number, seed).work();
            if let Err(failure) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
                scene.failed.store(true, Ordering::Relaxed);
                let text = failure.downcast_ref::<String>().cloned().unwrap_or_default();
                first_failure.lock().expect("a lock").get_or_insert(format!("writer {number}: {text}"));
            }
        })
    });
    let writers: Vec<_> = writers.map(|writer| writer.expect("a thread")).collect();
    writers.into_iter().for_each(|writer| writer.join().expect("a thread that catches"));
    let count = |of: &AtomicU32| of.load(Ordering::Relaxed);
    let (statements, kills, vanished) = (count(&scene.statements), count(&scene.kills), count(&scene.vanished));
    println!("{kind}, seed {seed}: {statements} statements, {kills} kills, {vanished} vanished");
    let failure = first_failure.lock().expect("a lock").take();
    assert!(failure.is_none(), "{kind}, seed {seed}: {}", failure.unwrap_or_default());
    assert!(statements > LEAST_STATEMENTS && kills > 10 && vanished > 10, "{statements} {kills} {vanished}");
}

fn scene(kind: Kind, duration: Duration) -> Scene {
    let server = crowd::server_of(kind, &[]);
    server.sql("CREATE DATABASE crossing");
    server.sql("CREATE TABLE crossing.notes (id INT AUTO_INCREMENT PRIMARY KEY, who INT, tag VARCHAR(60), KEY (who)) ENGINE=InnoDB");
    server.sql("CREATE TABLE crossing.counters (who INT PRIMARY KEY, n INT) ENGINE=InnoDB");
    for who in 0..WRITERS {
        server.sql(&format!("INSERT INTO crossing.counters VALUES ({who}, 0)"));
    }
    let tidegate = crowd::tidegate(&server, BACKENDS, "pool.checkout_timeout = \"60s\"");
    Scene {
        tidegate,
        _server: server,
        mortals: (0..WRITERS).map(|_| AtomicU32::new(0)).collect(),
        statements: AtomicU32::new(0),
        kills: AtomicU32::new(0),
        vanished: AtomicU32::new(0),
        began: Instant::now(),
        duration,
        failed: AtomicBool::new(false),
    }
}
