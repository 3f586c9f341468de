//! How long an hour's trace of a million commands takes: to be read, and to be simulated at one size.

use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use tidegate::commands::simulate::{Load, Mode, Setting, load, recorded, simulate};
use tidegate::pool::policy::PoolSettings;
use tidegate::stats::record::Phases;
use tidegate::stats::trace::{Came, Command, Event, Held, Origin, PoolFacts, TraceSettings, Traces};

const COMMANDS: u64 = 1_000_000;
const CLIENTS: u64 = 200;
const HOUR: u64 = 3_600_000_000_000;

/// Evenly over the hour, 1 to 60 ms each, every tenth in a transaction of two.
fn write(folder: &Path) -> PathBuf {
    let path = folder.join("hour.trace");
    let pool = PoolFacts {
        size: 25,
        max_overflow: 0,
        min_idle: 0,
        checkout_timeout: Duration::from_secs(60),
        max_lifetime: Duration::from_secs(1800),
        idle_timeout: None,
        ping_after: Some(Duration::from_secs(30)),
        reset_on_return: "auto".into(),
        caps: Vec::new(),
    };
    let [version, mode] = ["0.1.0", "transaction"].map(String::from);
    let origin =
        Origin { version, recording: 1, part: 1, began: Duration::ZERO, mode, pool, server: None, literals: false };
    let traces = Traces::default();
    traces.start(TraceSettings::to(&path), origin).expect("a trace");
    let Some(recording) = traces.current() else { panic!("a recording") };
    for client in 0..CLIENTS {
        let client = 0x4000_0001 + client as u32;
        recording.offer(Event::Came(Came { client, user: "app".into(), ..Came::default() }));
    }
    for n in 0..COMMANDS {
        let spread = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let server = Duration::from_micros(1_000 + spread % 59_000);
        recording.offer(Event::Command(Command {
            at: Duration::from_nanos(HOUR / COMMANDS * n),
            client: 0x4000_0001 + (n % CLIENTS) as u32,
            code: 3,
            digest: 1 + spread % 100,
            phases: Phases { server, total: server + Duration::from_micros(40), ..Phases::default() },
            held: if (n / CLIENTS).is_multiple_of(10) { Held::Pinned("transaction".into()) } else { Held::Free },
            ..Command::default()
        }));
        while n.is_multiple_of(1 << 15) && recording.counts().written + (1 << 14) < n {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    drop(recording);
    let stopped = traces.stop(Duration::from_secs(60));
    assert!(stopped.is_some_and(|(_, counts, _)| counts.lost == 0));
    path
}

fn an_hour(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path());
    let mut group = c.benchmark_group("a million commands");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.bench_function("read", |b| b.iter(|| load(&path).expect("a trace").commands()));
    let load = load(&path).expect("a trace");
    for (mode, size) in [(Mode::Transaction, 25), (Mode::Transaction, 8), (Mode::Session, 200)] {
        group.bench_function(format!("{} {size}", mode.name()), |b| {
            b.iter(|| simulate(&load, &setting(&load, mode, size), None))
        });
    }
    group.finish();
}

fn setting(load: &Load, mode: Mode, size: usize) -> Setting {
    Setting { mode, pool: PoolSettings { size, ..recorded(&load.summary.origin.pool) } }
}

criterion_group!(benches, an_hour);
criterion_main!(benches);
