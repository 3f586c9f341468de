//! The numbers are honest: a driver that counts for itself finds its counts, rows, bytes, errors and times in the slow log, in
//! the histograms, in the table of digests, and in what the admin view shows.

use std::collections::BTreeMap;
use std::thread::scope;
use std::time::{Duration, Instant};

use super::views::Views;
use super::{objects, start};
use crate::hlog::{self, Line};
use crate::raw::{Raw, packets};
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;
use tidegate::sql::digest::digest;
use tidegate::wire::capabilities::Capabilities;
use tidegate::wire::frame::HEADER;

const CLIENTS: u64 = 4;
const ROUNDS: u64 = 60;
const ROWS: u64 = 50;
/// What one of the statements takes at the server.
const SLOW: Duration = Duration::from_millis(100);
/// How much later than its client, or earlier, tidegate may look at the clock on a busy machine.
const SLACK: Duration = Duration::from_millis(90);

/// What the driver saw of one kind of statement.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    pub count: u64,
    pub errors: u64,
    pub rows: u64,
    pub affected: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Seconds, as the driver's own clock has them.
    pub times: Vec<f64>,
}

pub type ByDigest = BTreeMap<u64, Seen>;

impl Seen {
    fn add(&mut self, command: &[u8], reply: &[u8], took: Duration) {
        let packets = packets(reply);
        self.count += 1;
        self.bytes_in += (HEADER + command.len()) as u64;
        self.bytes_out += reply.len() as u64;
        self.times.push(took.as_secs_f64());
        match packets[0] {
            [0xFF, ..] => self.errors += 1,
            [0, affected, ..] if command[0] == 0x03 => self.affected += u64::from(*affected),
            [0, ..] => {}
            _ => self.rows += rows(&packets),
        }
    }

    fn merge(&mut self, other: Seen) {
        self.count += other.count;
        self.errors += other.errors;
        self.rows += other.rows;
        self.affected += other.affected;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.times.extend(other.times);
    }

    fn without_times(&self) -> Seen {
        Seen { times: Vec::new(), ..self.clone() }
    }
}

/// What stands between the two EOFs of a result.
fn rows(packets: &[&[u8]]) -> u64 {
    let is_end = |packet: &&&[u8]| packet.first() == Some(&0xFE) && packet.len() < 9;
    packets.iter().skip_while(|packet| !is_end(packet)).skip(1).take_while(|packet| !is_end(packet)).count() as u64
}

fn send(raw: &mut Raw, seen: &mut ByDigest, sql: &str, command: &[u8]) -> Vec<u8> {
    let began = Instant::now();
    let reply = raw.ask(command);
    seen.entry(digest(sql.as_bytes())).or_default().add(command, &reply, began.elapsed());
    reply
}

/// One client's life, and what it saw.
fn live(tidegate: &Tidegate, number: u64) -> ByDigest {
    let mut raw =
        Raw::login(crate::raw::connect(tidegate.address()), "root", "on_record", Capabilities::NONE | crate::raw::BASE);
    let mut seen = ByDigest::new();
    let below = "SELECT n, text FROM honest WHERE n < ?";
    let prepared = send(&mut raw, &mut seen, below, &[b"\x16", below.as_bytes()].concat());
    let id = prepared[5..9].to_vec();
    for round in 0..ROUNDS {
        let n = (round * 7 + number) % ROWS;
        let one = format!("SELECT text FROM honest WHERE n = {n}");
        let insert = format!("INSERT INTO honest_log VALUES ({number}, {round}), ({number}, {round})");
        for sql in [&one, "SELECT n, text FROM honest", "SELEC wrong", &insert] {
            let command = raw.query_payload(sql);
            send(&mut raw, &mut seen, sql, &command);
        }
        let value = [&[0, 1, 0, 0, 0, 0, 1, 3, 0][..], &u32::to_le_bytes(n as u32)].concat();
        send(&mut raw, &mut seen, below, &[&[0x17][..], &id, &value].concat());
        if round % 3 == 0 {
            let sql = format!("SELECT SLEEP({})", SLOW.as_secs_f64());
            let command = raw.query_payload(&sql);
            send(&mut raw, &mut seen, &sql, &command);
        }
    }
    seen
}

#[test]
fn what_a_driver_counts_is_what_stands_on_record() {
    let server = Server::shared(Kind::MariaDb1011);
    server.sql("CREATE DATABASE IF NOT EXISTS on_record");
    server.sql("CREATE OR REPLACE TABLE on_record.honest (n INT PRIMARY KEY, text VARCHAR(60))");
    server.sql("CREATE OR REPLACE TABLE on_record.honest_log (client INT, round INT)");
    server.sql(&format!(
        "INSERT INTO on_record.honest SELECT seq, REPEAT('x', seq) FROM on_record.seq_0_to_{}",
        ROWS - 1
    ));
    for mode in super::MODES {
        let mut tidegate =
            start(server, mode, "json", "histogram.path = \"all.hlog\"\nhistogram.interval = \"1h\"\npool.size = 3");
        let mut seen = ByDigest::new();
        scope(|scope| {
            let tidegate = &tidegate;
            let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(move || live(tidegate, number))).collect();
            for client in clients {
                client
                    .join()
                    .expect("no panic")
                    .into_iter()
                    .for_each(|(key, one)| seen.entry(key).or_default().merge(one));
            }
        });
        let views = Views::of(&tidegate, seen.values().map(|one| one.count).sum());
        tidegate.stop();
        let logged = of_slow_log(&tidegate);
        assert_eq!(seen.keys().collect::<Vec<_>>(), logged.keys().collect::<Vec<_>>(), "{mode}: the same digests");
        for (digest, own) in &seen {
            assert_eq!(logged[digest].without_times(), own.without_times(), "{mode}: the slow log, {digest:016x}");
        }
        compare_histograms(mode, &hlog::read(&tidegate.file("all.hlog")), &seen, &logged);
        compare_digests(mode, &tidegate.log(), &seen);
        compare_times(mode, &seen, &logged);
        views.compare(mode, &seen, &logged);
    }
}

/// The slow log's own sums.
fn of_slow_log(tidegate: &Tidegate) -> ByDigest {
    let mut sums = ByDigest::new();
    for object in objects(tidegate, |_| true) {
        let number = |key: &str| object[key].as_u64().unwrap_or_else(|| panic!("{key} in {object}"));
        let digest = u64::from_str_radix(object["digest"].as_str().expect("a digest"), 16).expect("hexadecimal");
        sums.entry(digest).or_default().merge(Seen {
            count: 1,
            errors: u64::from(!object["error"].is_null()),
            rows: number("rows_sent"),
            affected: number("rows_affected"),
            bytes_in: number("bytes_in"),
            bytes_out: number("bytes_out"),
            times: vec![object["total_time"].as_f64().expect("seconds")],
        });
    }
    sums
}

/// The histograms' counts are the driver's, their percentiles those of the slow log's times.
fn compare_histograms(mode: &str, lines: &[Line], seen: &ByDigest, logged: &ByDigest) {
    let tagged = |tag: Option<&str>| {
        let mut found = lines.iter().filter(|line| line.tag.as_deref() == tag);
        found.next().unwrap_or_else(|| panic!("{mode}: no {tag:?} in {lines:?}"))
    };
    let all: Vec<f64> = logged.values().flat_map(|one| one.times.clone()).collect();
    let count = |by_digest: &ByDigest| by_digest.values().map(|one| one.count).sum::<u64>();
    for tag in [None, Some("phase=server"), Some("phase=queue"), Some("user=root;schema=on_record")] {
        assert_eq!(tagged(tag).count, count(seen), "{mode}: {tag:?}");
    }
    compare_percentiles(mode, tagged(None), &all, 3);
    for (digest, one) in logged {
        let line = tagged(Some(&format!("digest={digest:016x}")));
        assert_eq!(line.count, seen[digest].count, "{mode}: {digest:016x}");
        compare_percentiles(mode, line, &one.times, 2);
    }
}

pub fn compare_percentiles(mode: &str, line: &Line, times: &[f64], digits: i32) {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    for (nanos, quantile) in line.quantiles.iter().zip(hlog::QUANTILES) {
        // Readers round a quantile's rank in their own ways: between two samples either is right.
        let rank = quantile * sorted.len() as f64;
        let at = |rank: f64| sorted[(rank.max(1.0) as usize).min(sorted.len()) - 1];
        let (low, high, found) = (at(rank.floor()), at(rank.ceil()), *nanos as f64 / 1e9);
        // The slow log's times are whole microseconds; a histogram from 1 us on counts in steps of 512 ns.
        let allowed = |value: f64| value * 10_f64.powi(-digits) + 1e-6 + 512e-9;
        let is_within = found >= low - allowed(low) && found <= high + allowed(high);
        let near = &sorted[(rank as usize).saturating_sub(4)..sorted.len().min(rank as usize + 4)];
        assert!(
            is_within,
            "{mode}: {:?} p{quantile} of {}: {found}, not {low} to {high}: {near:?}",
            line.tag,
            sorted.len()
        );
    }
}

/// The table that is put on the log at the end.
fn compare_digests(mode: &str, log: &str, seen: &ByDigest) {
    for (digest, own) in seen {
        let row = log.lines().find(|line| line.starts_with(&format!("{digest:016x} ")));
        let row = row.unwrap_or_else(|| panic!("{mode}: no {digest:016x} in\n{log}"));
        let numbers: Vec<u64> = row.split_whitespace().skip(1).map_while(|word| word.parse().ok()).collect();
        let expected = [own.count, own.errors, own.rows, own.affected, own.bytes_in, own.bytes_out];
        assert_eq!(numbers[..6], expected, "{mode}: {row}");
    }
}

/// Driver and tidegate look at the same statements, the one from a little farther.
fn compare_times(mode: &str, seen: &ByDigest, logged: &ByDigest) {
    let key = digest(b"SELECT SLEEP(0.1)");
    let median = |times: &[f64]| {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        Duration::from_secs_f64(sorted[sorted.len() / 2])
    };
    let (own, found) = (median(&seen[&key].times), median(&logged[&key].times));
    assert!(found >= SLOW && found <= own + SLACK && own <= found + SLACK, "{mode}: {found:?} on record, {own:?} seen");
}
