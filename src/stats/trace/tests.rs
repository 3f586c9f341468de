use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::stats::record::Phases;

const LONG: Duration = Duration::from_secs(20);

fn origin() -> Origin {
    Origin {
        version: "0.1.0".into(),
        recording: 77,
        part: 1,
        began: Duration::from_secs(1_795_359_511),
        mode: "transaction".into(),
        pool: PoolFacts {
            size: 25,
            max_overflow: 50,
            min_idle: 0,
            checkout_timeout: Duration::from_secs(60),
            max_lifetime: Duration::from_secs(1800),
            idle_timeout: None,
            ping_after: Some(Duration::from_secs(30)),
            reset_on_return: "auto".into(),
            caps: vec![("app".into(), 7)],
        },
        server: Some("10.11.6-MariaDB".into()),
        literals: true,
    }
}

/// Writes these events as a recording does.
fn record(settings: TraceSettings, events: impl IntoIterator<Item = Event>) -> TraceCounts {
    let traces = Traces::default();
    traces.start(settings, origin()).unwrap();
    for (sent, event) in (0..).zip(events) {
        let current = traces.current().unwrap();
        // No more than may wait.
        while current.counts().written + 40_000 < sent {
            std::thread::sleep(Duration::from_millis(2));
        }
        current.offer(event);
    }
    let (_, counts, is_written) = traces.stop(LONG).unwrap();
    assert!(is_written && traces.current().is_none());
    counts
}

fn us(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// What a busy server's commands look like.
fn command(n: u64) -> Event {
    let spread = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let server = Duration::from_nanos(50_000 + spread % 4_000_000);
    let transfer = Duration::from_nanos(1_000 + spread % 30_000);
    let held = match n % 10 {
        0..4 => Held::Pinned("transaction".into()),
        4 => Held::UntilWanted("diagnostics".into()),
        _ => Held::Free,
    };
    Event::Command(Command {
        at: us(n * 150 + spread % 1_000),
        client: 0x4000_0000 + (spread % 200) as u32,
        code: 3,
        digest: (spread % 120).wrapping_mul(0xD134_2543_DE82_EF95),
        phases: Phases {
            server,
            transfer,
            queue: if n.is_multiple_of(7) { us(spread % 3_000 + 1) } else { Duration::ZERO },
            total: server + transfer + us(8 + spread % 5),
            ..Phases::default()
        },
        held,
        state: 0,
        error: None,
        text: None,
    })
}

fn phases() -> impl Strategy<Value = Phases> {
    let time = || (0..4_u64, any::<u32>()).prop_map(|(kind, n)| Duration::from_nanos(u64::from(n) * (kind / 2)));
    (time(), time(), time(), time(), time(), any::<u32>()).prop_map(
        |(queue, restore, server, transfer, client, more)| {
            let total = Duration::from_nanos(u64::from(more));
            Phases { queue, restore, server, transfer, client, total }
        },
    )
}

fn any_command() -> impl Strategy<Value = Event> {
    let held = (0..3, "[a-z_]{1,9}").prop_map(|(kind, reason)| match kind {
        0 => Held::Free,
        1 => Held::UntilWanted(reason.into()),
        _ => Held::Pinned(reason.into()),
    });
    let head = (any::<u32>(), any::<u32>(), 0..40_u8, 0..30_u64, phases(), held);
    let tail = (0..4_u64, proptest::option::of(any::<u16>()), proptest::option::of(any::<Vec<u8>>()));
    (head, tail).prop_map(|((at, client, code, digest, phases, held), (state, error, text))| {
        let text = text.map(Vec::into_boxed_slice);
        let at = us(at.into());
        Event::Command(Command { at, client, code, digest, phases, held, state, error, text })
    })
}

fn any_event() -> impl Strategy<Value = Event> {
    let time = || any::<u64>().prop_map(|n| Duration::from_nanos(n >> 2));
    let login = (time(), time(), time()).prop_map(|(took, queue, backend)| Login { took, queue, backend });
    let came = (time(), any::<u32>(), ".{0,8}", any::<u64>(), ".{0,8}", any::<bool>(), proptest::option::of(login));
    let came = came.prop_map(|(at, client, user, capabilities, schema, is_own, login)| {
        Event::Came(Came { at, client, user, capabilities, schema, is_own, login })
    });
    let dialed = (time(), time(), proptest::option::of(1..100_000_u64)).prop_map(|(at, took, seconds)| Event::Dialed {
        at,
        took,
        wait_timeout: seconds.map(Duration::from_secs),
    });
    prop_oneof![
        6 => any_command(),
        1 => came,
        1 => (time(), any::<u32>()).prop_map(|(at, client)| Event::Left { at, client }),
        1 => dialed,
        1 => (time(), time()).prop_map(|(at, took)| Event::Cleaned { at, took }),
        1 => (time(), time()).prop_map(|(at, took)| Event::Closed { at, took }),
        1 => ".{0,20}".prop_map(|version| Event::Server { version }),
    ]
}

/// States are numbered anew, in the order in which they appear.
fn renumbered(events: Vec<Event>) -> Vec<Event> {
    let mut numbers = BTreeMap::new();
    let renumber = |event| match event {
        Event::Command(mut command) => {
            let next = numbers.len() as u64;
            command.state = *numbers.entry(command.state).or_insert(next);
            Event::Command(command)
        }
        other => other,
    };
    events.into_iter().map(renumber).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_event_comes_back(events in proptest::collection::vec(any_event(), 0..80)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.trace");
        record(TraceSettings::to(&path), events.clone());
        let (summary, read) = load(&path).unwrap();
        prop_assert_eq!(summary.ending, Ending::Whole);
        prop_assert_eq!(&summary.origin, &origin());
        prop_assert_eq!(summary.events, events.len() as u64);
        prop_assert_eq!(read, renumbered(events));
    }
}

fn small_trace(dir: &Path) -> (std::path::PathBuf, Vec<u8>) {
    let path = dir.join("t.trace");
    record(TraceSettings::to(&path), (0..60).map(command));
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn a_command_takes_few_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.trace");
    record(TraceSettings::to(&path), (0..100_000).map(command));
    let each = fs::metadata(&path).unwrap().len() as f64 / 100_000.0;
    assert!(each < 22.0, "{each} bytes");
}

#[test]
fn a_trace_that_is_cut_anywhere_is_used_up_to_the_cut_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole.trace");
    let traces = Traces::default();
    traces.start(TraceSettings::to(&whole), origin()).unwrap();
    // Several blocks: the writer looks in between.
    for part in 0..3 {
        (0..4_000).for_each(|n| traces.current().unwrap().offer(command(part * 4_000 + n)));
    }
    traces.stop(LONG).unwrap();
    let (_, events) = load(&whole).unwrap();
    let bytes = fs::read(&whole).unwrap();
    let path = dir.path().join("cut.trace");
    let (mut heads, mut most) = (0, 0);
    // Each place in the first and last kilobytes, and many between.
    for cut in (0..bytes.len()).filter(|cut| *cut < 900 || *cut + 300 > bytes.len() || cut % 997 == 0) {
        fs::write(&path, &bytes[..cut]).unwrap();
        match load(&path) {
            Ok((summary, some)) => {
                assert_eq!(summary.ending, Ending::Cut, "{cut}");
                assert_eq!(some, events[..some.len()], "{cut}");
                assert!(some.len() >= most, "{cut}");
                most = some.len();
            }
            Err(TraceError::NoHead(_)) => heads += 1,
            Err(other) => panic!("{cut}: {other}"),
        }
    }
    assert!(heads > 100 && most > 8_000 && most <= events.len(), "{heads} {most}");
}

#[test]
fn a_change_anywhere_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, bytes) = small_trace(dir.path());
    let (_, events) = load(&path).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        match load(&path) {
            Err(error) => assert_eq!(error.to_string().lines().count(), 1),
            // zstd has a bit that means nothing.
            Ok((_, same)) => assert!(same == events, "{at}"),
        }
    }
}

#[test]
fn other_files_are_told_from_traces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    for foreign in [&b"# Time: 261126 10:50:47\n"[..], b"tidetrc2................", b"\x28\xb5\x2f\xfd", b"x"] {
        fs::write(&path, foreign).unwrap();
        let told = load(&path).unwrap_err().to_string();
        assert_eq!(told, format!("{}: not a trace of tidegate", path.display()));
    }
    fs::write(&path, b"").unwrap();
    assert!(matches!(load(&path), Err(TraceError::NoHead(_))));
    assert!(matches!(load(&dir.path().join("none")), Err(TraceError::Io { .. })));
    assert!(matches!(load(dir.path()), Err(TraceError::Io { .. })));
}

#[test]
fn a_recording_overwrites_nothing_but_traces_and_those_are_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.trace");
    fs::write(&path, "a letter").unwrap();
    let traces = Traces::default();
    assert!(traces.start(TraceSettings::to(&path), origin()).is_err());
    assert!(!traces.is_on());
    assert_eq!(fs::read(&path).unwrap(), b"a letter");
    fs::remove_file(&path).unwrap();
    record(TraceSettings::to(&path), [command(1)]);
    let before = fs::read(&path).unwrap();
    traces.start(TraceSettings::to(&path), Origin { recording: 78, ..origin() }).unwrap();
    let again = traces.start(TraceSettings::to(&dir.path().join("u")), origin()).unwrap_err();
    assert!(again.to_string().contains("t.trace"), "{again}");
    traces.stop(LONG).unwrap();
    assert_eq!(fs::read(dir.path().join("t.trace.1")).unwrap(), before);
    let (summary, events) = load(&path).unwrap();
    assert_eq!((summary.origin.recording, summary.files, events.len()), (78, 1, 0));
}

#[test]
fn files_are_bounded_in_size_and_number_and_read_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.trace");
    let settings = |keep| TraceSettings { max_size: Some(recording::MIN_SIZE), keep, ..TraceSettings::to(&path) };
    let here = Event::Came(Came { client: 0x4000_0001, user: "ann".into(), ..Came::default() });
    let gone = Event::Came(Came { client: 0x4000_0002, user: "bob".into(), ..Came::default() });
    let left = Event::Left { at: us(3), client: 0x4000_0002 };
    let all = || [here.clone(), gone.clone(), left.clone()].into_iter().chain((0..120_000).map(command));
    record(settings(100), all());
    let (summary, events) = load(&path).unwrap();
    assert!(summary.files > 3 && summary.origin.part == 1, "{summary:?}");
    // States are numbered for each file.
    let commands = |events: &[Event]| {
        let stateless = events.iter().filter_map(|event| match event {
            Event::Command(command) => Some(Event::Command(Command { state: 0, ..command.clone() })),
            _ => None,
        });
        stateless.collect::<Vec<_>>()
    };
    assert!(commands(&events) == (0..120_000).map(command).collect::<Vec<_>>());
    let states: std::collections::BTreeSet<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Command(command) => Some(command.state),
            _ => None,
        })
        .collect();
    assert_eq!(states.len(), summary.files, "no number means two states");
    let told = events.iter().filter(|event| matches!(event, Event::Came(came) if came.user == "ann")).count();
    assert_eq!(told, summary.files, "each file says who is here");
    let told = events.iter().filter(|event| matches!(event, Event::Came(came) if came.user == "bob")).count();
    assert_eq!(told, 1);
    fs::read_dir(dir.path()).unwrap().for_each(|file| fs::remove_file(file.unwrap().path()).unwrap());
    record(settings(1), all());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    let (summary, events) = load(&path).unwrap();
    assert!(summary.origin.part > 2 && summary.files == 2 && commands(&events).len() < 120_000);
    for file in fs::read_dir(dir.path()).unwrap() {
        assert!(file.unwrap().metadata().unwrap().len() <= recording::MIN_SIZE);
    }
}

#[test]
fn a_stuck_disk_costs_events_and_no_time_and_the_trace_says_how_many() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.trace");
    let traces = Traces::default();
    traces.start(TraceSettings::to(&path), origin()).unwrap();
    let text = |n: u64| match command(n) {
        Event::Command(command) => Event::Command(Command { text: Some(vec![7; 60_000].into()), ..command }),
        other => other,
    };
    let began = Instant::now();
    // More at once than may wait.
    let current = traces.current().unwrap();
    let mut sent = 0;
    while current.counts().lost < 10 && began.elapsed() < LONG {
        current.offer(text(sent));
        sent += 1;
    }
    let (_, counts, is_written) = traces.stop(LONG).unwrap();
    assert!(is_written && counts.lost >= 10, "{counts:?}");
    assert_eq!(counts.written + counts.lost, sent);
    let (summary, _) = load(&path).unwrap();
    assert_eq!((summary.lost, summary.events), (counts.lost, counts.written));
}

#[test]
fn a_disk_that_refuses_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.trace");
    let traces = Traces::default();
    traces.start(TraceSettings { max_size: Some(1), ..TraceSettings::to(&path) }, origin()).unwrap();
    // No new file can be made here, and the present one is full at once.
    fs::remove_dir_all(dir.path()).unwrap();
    for n in 0..40_000 {
        traces.current().unwrap().offer(command(n));
    }
    let (_, counts, _) = traces.stop(LONG).unwrap();
    assert!(counts.lost > 1_000 && counts.written + counts.lost == 40_000, "{counts:?}");
}
