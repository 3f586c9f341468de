//! Other clients of the same accounts, which want every backend that nothing keeps and leave it in a state of their own:
//! what a session left on its backend must be read in time, and brought to another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use super::random::Random;
use super::wire::{BASE, DEPRECATE_EOF, FOUND_ROWS, MULTI_STATEMENTS, QUERY_ATTRIBUTES, Wire};

/// The programs' own capabilities, so that their keys are the same.
const FLAGS: [u32; 4] = [DEPRECATE_EOF, FOUND_ROWS, QUERY_ATTRIBUTES, MULTI_STATEMENTS];
const PAUSE: Duration = Duration::from_millis(3);

/// Ends when it is dropped.
pub struct Noise {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Noise {
    /// So many clients, in a schema of their own that `server` must have.
    pub fn start(hop: SocketAddr, clients: usize) -> Noise {
        let stop = Arc::new(AtomicBool::new(false));
        let one = |number: usize| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || shout(hop, number as u64, &stop))
        };
        let threads = (0..clients).map(one).collect();
        Noise { stop, threads }
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn shout(hop: SocketAddr, seed: u64, stop: &AtomicBool) {
    let mut random = Random::new(seed + 1);
    while !stop.load(Ordering::Relaxed) {
        let user = *random.pick(&["ta", "ta", "ta", "tb"]);
        let flags = FLAGS.into_iter().filter(|_| random.chance(40)).fold(BASE, |all, flag| all | flag);
        let charset = *random.pick(&[45u8, 33, 8, 63]);
        let (Some(mut wire), _) = Wire::login(hop, user, "noise", flags, charset) else {
            sleep(PAUSE);
            continue;
        };
        for _ in 0..40 {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            // Where writes hold their backend, nobody would leave any to the programs.
            let all = if wire.announces { STATEMENTS } else { &STATEMENTS[WRITES..] };
            let statement = *random.pick(all);
            wire.query(&statement.replace("{n}", &random.below(9).to_string()));
            sleep(PAUSE);
        }
        wire.quit();
    }
}

/// What it takes to be somebody else.
pub const MAKE: &[&str] =
    &["CREATE DATABASE noise", "CREATE TABLE noise.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT) AUTO_INCREMENT=900001"];

/// How many of them are writes.
const WRITES: usize = 3;

const STATEMENTS: &[&str] = &[
    "INSERT INTO noise.t (v) VALUES ({n})",
    "UPDATE noise.t SET v = {n} WHERE id > 900010 LIMIT 3",
    "DELETE FROM noise.t WHERE id % 9 = {n}",
    "SELECT 1/0, {n}",
    "SELECT SQL_CALC_FOUND_ROWS v FROM noise.t LIMIT {n}",
    "SELECT * FROM noise.no_such_table",
    "SET @a = {n}, @b = 'noise'",
    "SET time_zone = '+0{n}:30'",
    "SET NAMES latin1",
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SET sql_mode = 'ANSI_QUOTES'",
    "SET sql_mode = DEFAULT",
    "SET div_precision_increment = {n}",
    "SET autocommit = 0",
    "SET autocommit = 1",
    "SET sql_select_limit = {n}",
    "SET sql_select_limit = DEFAULT",
    "USE mysql",
    "USE noise",
    "SELECT {n}",
    "COMMIT",
];
