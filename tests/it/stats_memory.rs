//! A million digests and a thousand users stay below 64 MiB, with a baseline and a snapshot beside the recorders.

use std::process::Command;
use std::time::Duration;

use tidegate::stats::record::{Identity, Phases, QueryRecord};
use tidegate::stats::recorder::{RecorderSettings, Recorders};
use tidegate::stats::snapshot::Baseline;

const WORKERS: usize = 8;
const DIGESTS: u64 = 1_000_000;
/// Records of digests that come often enough to be kept, and push each other out.
const CHURN: u64 = 50_000;
const RECORDS: u64 = DIGESTS + CHURN;

fn long_fingerprint(sql: &[u8]) -> String {
    String::from_utf8_lossy(sql).into_owned()
}

/// A million that come once, and a few thousand that come back.
fn digest(n: u64) -> u64 {
    let number = if n < DIGESTS { n + 1 } else { n / 16 % 1_000 + 1 };
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn identities() -> Vec<Identity> {
    (0..1_000).map(|n| Identity { client_id: n, user: format!("user_{n}"), host: String::new() }).collect()
}

/// Measured in a process of its own: other tests run beside this one.
#[test]
fn memory_is_bounded() {
    const ALONE: &str = "TIDEGATE_TEST_MEMORY_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return measure();
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "stats_memory::memory_is_bounded"]).env(ALONE, "1");
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn measure() {
    let sql = vec![b'x'; 4_000];
    let identities = identities();
    let before = resident();
    let recorders = Recorders::new(WORKERS, RecorderSettings::for_workers(WORKERS, long_fingerprint));
    for n in 0..RECORDS {
        // From 1 us to an hour, so that every histogram grows to its bound.
        let total = Duration::from_micros(1 << (n % 32));
        recorders.of_worker(n as usize / 2).record(&QueryRecord {
            identity: &identities[n as usize % identities.len()],
            schema: "shop",
            command: 3,
            sql: &sql,
            sql_len: 4_000,
            digest: digest(n),
            phases: Phases { total, ..Phases::default() },
            ended_at: Duration::from_secs(n),
            rows_sent: 1,
            rows_affected: 0,
            last_insert_id: 0,
            bytes_in: 4_005,
            bytes_out: 60,
            status: 0,
            warnings: 0,
            outcome: Default::default(),
            backend_id: 1,
            pin_reason: "",
            execution: None,
        });
    }
    let mut baseline = Baseline::new();
    let snapshot = baseline.advance(&recorders);
    let grown = resident().saturating_sub(before);
    println!("{} KiB", grown >> 10);
    assert!(grown < 64 << 20, "{} MiB", grown >> 20);
    let digests = snapshot.digests.iter().map(|d| d.tally.count).sum::<u64>() + snapshot.digests_other.count;
    let labels = snapshot.labels.iter().map(|l| l.tally.count).sum::<u64>() + snapshot.labels_other.count;
    assert_eq!((digests, labels, snapshot.phases.total().len()), (RECORDS, RECORDS, RECORDS));
    assert!(snapshot.digests.iter().all(|d| d.text.fingerprint.len() <= 1024));
}
