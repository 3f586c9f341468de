//! One record per command: the slow log and the histogram dump count what was sent, and say where the time went.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tidegate::wire::capabilities::Capabilities;

use crate::protocol::{MODES, config, on_every_server};
use crate::raw::Raw;
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;

fn start(server: &Server, mode: &str) -> Tidegate {
    let more =
        "[slow_log]\nthreshold = \"0s\"\npath = \"slow.log\"\n[histogram]\npath = \"dump.hlog\"\ninterval = \"1h\"";
    Tidegate::in_front_of(server, &config(mode, more))
}

/// One entry of the slow log.
#[derive(Debug)]
struct Entry(String);

impl Entry {
    fn value(&self, key: &str) -> &str {
        let key = format!("{key}: ");
        let at = self.0.find(&key).unwrap_or_else(|| panic!("no {key}in {}", self.0));
        self.0[at + key.len()..].split_whitespace().next().unwrap_or_default()
    }

    fn seconds(&self, key: &str) -> f64 {
        self.value(key).parse().expect("seconds")
    }
}

/// The entries, once there are so many.
fn entries(path: &Path, count: usize) -> Vec<Entry> {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        let log = crate::scratch::read(path);
        let entries: Vec<Entry> = log.split("# Time: ").skip(1).map(|text| Entry(text.to_owned())).collect();
        if entries.len() >= count {
            sleep(Duration::from_millis(300));
            assert_eq!(crate::scratch::read(path).len(), log.len(), "more than {count} entries");
            return entries;
        }
        assert!(Instant::now() < limit, "{} of {count} entries:\n{log}", entries.len());
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn every_command_is_one_entry_with_its_rows_and_its_error() {
    on_every_server(|kind| {
        let server = Server::shared(kind);
        server.sql("CREATE DATABASE IF NOT EXISTS proto_records");
        for mode in MODES {
            let mut tidegate = start(server, mode);
            let mut raw = Raw::root(tidegate.address(), Capabilities::NONE);
            let mut replies = 0;
            let mut commands: Vec<Vec<u8>> = [
                "SELECT 1 UNION SELECT 2 UNION SELECT 3",
                "SELEC 1",
                "SELECT 1; SELECT 2",
                "USE proto_records",
                "SELECT 'in the schema'",
                "SET @a = 1",
            ]
            .iter()
            .map(|sql| raw.query_payload(sql))
            .collect();
            commands.push(b"\x16SELECT 'prepared'".to_vec());
            commands.push(vec![0x0E]);
            commands.push(b"\x77unknown".to_vec());
            commands.push(vec![0x09]);
            for command in &commands {
                raw.send_packet(0, command);
                let reply = if command[0] == 0x77 { raw.packet() } else { raw.reply(command, 1) };
                if command[0] == 0x16 {
                    let id = reply[5..9].to_vec();
                    raw.ask(&[&[0x17][..], &id, &[0, 1, 0, 0, 0]].concat());
                    raw.ask(&[&[0x19][..], &id].concat());
                }
                replies += reply.len();
            }
            raw.send_packet(0, &[1]);
            raw.rest();
            assert!(replies > 0);
            let entries = entries(&tidegate.file("slow.log"), commands.len() + 2);
            let find = |text: &str| {
                let mut found = entries.iter().filter(|entry| entry.0.contains(text));
                found.next().unwrap_or_else(|| panic!("{kind}, {mode}: no {text} in {entries:#?}"))
            };
            assert_eq!(find("UNION").value("Rows_sent"), "3", "{kind}, {mode}");
            assert_eq!(find("SELEC 1;").value("Last_errno"), "1064", "{kind}, {mode}");
            assert_eq!(find("SELECT 1; SELECT 2").value("Rows_sent"), "2", "{kind}, {mode}");
            assert!(find("'in the schema'").0.contains("proto_records"), "{kind}, {mode}");
            let prepared: Vec<&Entry> = entries.iter().filter(|entry| entry.0.contains("SELECT 'prepared'")).collect();
            assert!(prepared.len() >= 2, "{kind}, {mode}: {entries:#?}");
            assert_eq!(prepared[0].value("Tidegate_digest"), prepared[1].value("Tidegate_digest"));
            assert_ne!(prepared[0].value("Tidegate_digest"), find("UNION").value("Tidegate_digest"));

            tidegate.signal("USR1");
            // COM_STMT_CLOSE has no reply, and so no latency.
            let total = entries.len() as u64 - 1;
            await_count(&tidegate, total);
            assert_eq!(tidegate.stop().code(), Some(0));
        }
    });
}

/// The untagged histograms of the dump hold every command once.
fn await_count(tidegate: &Tidegate, total: u64) {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        let dump = crate::scratch::read(&tidegate.file("dump.hlog"));
        let found: u64 = dump.lines().filter_map(untagged).map(count).sum();
        if found == total {
            return;
        }
        assert!(Instant::now() < limit, "{found} instead of {total} commands in\n{dump}");
        sleep(Duration::from_millis(50));
    }
}

/// The last field of a line of figures without a tag.
fn untagged(line: &str) -> Option<&str> {
    let is_figures = line.starts_with(|c: char| c.is_ascii_digit());
    is_figures.then(|| line.rsplit(',').next()).flatten()
}

fn count(histogram: &str) -> u64 {
    use hdrhistogram::serialization::Deserializer;
    let bytes = base64(histogram);
    let read: hdrhistogram::Histogram<u64> =
        Deserializer::new().deserialize(&mut bytes.as_slice()).expect("a histogram");
    read.len()
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|&c| c != b'=').map(digit).collect();
    let whole = |group: &[u8]| {
        let bits = group.iter().fold(0u32, |bits, &digit| bits << 6 | u32::from(digit)) << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    digits.chunks(4).flat_map(whole).collect()
}

const STALL: Duration = Duration::from_secs(3);

#[test]
fn time_is_put_down_to_whom_it_was_waited_for() {
    let server = Server::shared(Kind::MariaDb1011);
    for mode in MODES {
        let tidegate = start(server, mode);
        let mut raw = Raw::root(tidegate.address(), Capabilities::NONE);
        raw.query("SELECT SLEEP(0.3)");
        let long = raw.query_payload("SELECT REPEAT('x', 1000000) FROM mysql.help_topic LIMIT 20");
        raw.send_packet(0, &long);
        // Long against what a busy machine needs to make the rows.
        sleep(STALL);
        let reply = raw.reply(&long, 1);
        let entries = entries(&tidegate.file("slow.log"), 2);
        let (slept, slow) = (&entries[0], &entries[1]);
        let share = |entry: &Entry, phase| entry.seconds(phase) / entry.seconds("Query_time");
        assert!(slept.seconds("Tidegate_server_time") >= 0.3, "{mode}: {slept:?}");
        assert!(share(slept, "Tidegate_server_time") > 0.9, "{mode}: {slept:?}");
        assert_eq!(slept.seconds("Tidegate_client_time"), 0.0, "{mode}: {slept:?}");
        assert!(share(slow, "Tidegate_client_time") > 0.2, "{mode}: {slow:?}");
        assert_eq!(slow.value("Bytes_sent"), reply.len().to_string(), "{mode}");
        assert!(slow.seconds("Query_time") >= STALL.as_secs_f64() * 0.9, "{mode}: {slow:?}");
    }
}
