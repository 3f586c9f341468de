//! What it costs to time and record one command, everything on.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use tidegate::stats::record::{Identity, Outcome, Phases, QueryRecord};
use tidegate::stats::recorder::{RecorderSettings, Recorders};
use tidegate::stats::settings::{SlowLogBasis, SlowLogFormat, SlowLogSettings};
use tidegate::stats::slow_log::SlowLog;
use tidegate::stats::timer::QueryTimer;
use tidegate::stats::trace::{Behind, Origin, PoolFacts, TraceSettings, Traces};

fn fingerprint(sql: &[u8]) -> String {
    String::from_utf8_lossy(sql).into_owned()
}

fn recorders() -> Recorders {
    Recorders::new(2, RecorderSettings::for_workers(2, fingerprint))
}

fn identities(users: u32) -> Vec<Identity> {
    (0..users).map(|n| Identity { client_id: n, user: format!("user{n}"), host: "10.0.0.7".into() }).collect()
}

/// A spread of times such as a busy server has: 50 us to some milliseconds, no two alike.
fn record(identity: &Identity, n: u64, digest: u64) -> QueryRecord<'_> {
    let spread = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let server = Duration::from_nanos(50_000 + spread % 4_000_000);
    let transfer = Duration::from_nanos(1_000 + spread % 30_000);
    QueryRecord {
        identity,
        schema: "shop",
        command: 3,
        sql: b"SELECT c FROM sbtest1 WHERE id = 5042",
        sql_len: 37,
        digest,
        phases: Phases { server, transfer, total: server + transfer, ..Phases::default() },
        ended_at: Duration::from_micros(1_795_359_511_000_000 + n),
        rows_sent: 1,
        rows_affected: 0,
        last_insert_id: 0,
        bytes_in: 42,
        bytes_out: 210,
        status: 2,
        warnings: 0,
        outcome: Outcome::Ok,
        backend_id: 9,
        pin_reason: "",
        execution: None,
    }
}

fn recording(c: &mut Criterion) {
    let mut group = c.benchmark_group("record");
    for (name, users, digests) in [
        ("one digest, one user", 1, 1),
        ("100 digests, 20 users", 20, 100),
        ("a million digests, a thousand users", 1_000, 1_000_000),
    ] {
        let (recorders, identities) = (recorders(), identities(users));
        let recorder = recorders.of_worker(0);
        let mut n = 0_u64;
        group.bench_function(name, |b| {
            b.iter(|| {
                n += 1;
                let spread = n.wrapping_mul(0xD134_2543_DE82_EF95) >> 32;
                let identity = &identities[spread as usize % identities.len()];
                recorder.record(black_box(&record(identity, n, 1 + spread % digests)));
            });
        });
    }
    group.finish();
}

fn timing(c: &mut Criterion) {
    let t = Instant::now();
    let us = |n| t + Duration::from_micros(n);
    c.bench_function("timer, without the clock", |b| {
        b.iter(|| {
            let mut timer = QueryTimer::start(black_box(t));
            timer.queued(t, us(3));
            timer.sent(us(4));
            timer.first_byte(us(90));
            timer.finish(black_box(us(95)))
        });
    });
}

fn slow_log(c: &mut Criterion) {
    let settings = SlowLogSettings {
        threshold: Duration::from_secs(1),
        user_thresholds: Vec::new(),
        path: Some("/dev/null".into()),
        format: SlowLogFormat::Mysql,
        basis: SlowLogBasis::Total,
        sample: 1.0,
        rate: None,
        redact: false,
        max_size: None,
        keep: 0,
        explain: false,
    };
    let everything = SlowLogSettings { threshold: Duration::ZERO, ..settings.clone() };
    let identity = identities(1).remove(0);
    for (name, settings) in [("slow log, fast statement", settings), ("slow log, everything is slow", everything)] {
        let Ok(Some(log)) = SlowLog::open(&settings, fingerprint) else { panic!("/dev/null cannot be opened") };
        c.bench_function(name, |b| b.iter(|| log.offer(black_box(&record(&identity, 1, 1)))));
    }
}

/// So many commands are in one recording: no more than may wait for its writer.
const BATCH: u64 = 1 << 15;

fn tracing(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let (identity, began, traces) = (identities(1).remove(0), Instant::now(), Traces::default());
    let offer = |n: u64| {
        if let Some(recording) = traces.current() {
            recording.command(black_box(&record(&identity, n, 1 + n % 100)), began, Behind::default());
        }
    };
    c.bench_function("trace, off", |b| b.iter(|| offer(1)));
    let settings = TraceSettings { keep: 0, ..TraceSettings::to(&folder.path().join("t.trace")) };
    // One recording from its beginning to its end; what its commands took the worker.
    let recording = || {
        traces.start(settings.clone(), origin()).expect("a trace");
        let begun = Instant::now();
        (0..BATCH).for_each(offer);
        let took = begun.elapsed();
        let stopped = traces.stop(Duration::from_secs(10));
        assert!(stopped.is_some_and(|(_, counts, _)| counts.written == BATCH));
        took
    };
    let mut group = c.benchmark_group("trace, on");
    group.throughput(Throughput::Elements(BATCH)).sample_size(20).sampling_mode(SamplingMode::Flat);
    group.bench_function("the worker's time", |b| b.iter_custom(|times| (0..times).map(|_| recording()).sum()));
    group.bench_function("CPU of worker and writer", |b| {
        b.iter_custom(|times| {
            let before = cpu_time();
            (0..times).for_each(|_| {
                recording();
            });
            cpu_time() - before
        });
    });
    group.finish();
}

/// What all threads of this process have used, those that have ended too; in steps of 10 ms.
fn cpu_time() -> Duration {
    let line = std::fs::read_to_string("/proc/self/stat").expect("/proc");
    // Behind the name in parentheses; user and system time are the 14th and 15th of the line.
    let fields = line.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    Duration::from_millis(10 * fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>())
}

fn origin() -> Origin {
    let pool = PoolFacts {
        size: 25,
        max_overflow: 50,
        min_idle: 0,
        checkout_timeout: Duration::from_secs(60),
        max_lifetime: Duration::from_secs(1800),
        idle_timeout: None,
        ping_after: None,
        reset_on_return: "auto".into(),
        caps: Vec::new(),
    };
    let [version, mode] = ["0.1.0", "transaction"].map(String::from);
    Origin { version, recording: 1, part: 1, began: Duration::ZERO, mode, pool, server: None, literals: false }
}

fn reading(c: &mut Criterion) {
    let (recorders, identities) = (recorders(), identities(200));
    for n in 0..100_000 {
        let identity = &identities[n as usize % identities.len()];
        recorders.of_worker(n as usize).record(&record(identity, n, 1 + n % 1_000));
    }
    c.bench_function("snapshot of two full recorders", |b| b.iter(|| recorders.snapshot()));
}

criterion_group!(benches, timing, recording, slow_log, tracing, reading);
criterion_main!(benches);
