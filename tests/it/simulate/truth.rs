//! A real run at one setting is recorded, three others are simulated from it, and these are run for real too: what was
//! predicted is what happened.
//!
//! The load is closed: clients think, sleep at the server (so that nothing depends on how fast the machine is), and hold
//! transactions while they think. What a machine's noise does to a run is seen from its repeats, and allowed for.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::path::PathBuf;
use std::thread::{scope, sleep};
use std::time::Duration;

use super::simulated;
use crate::crowd::{Client, account, server};
use crate::servers::Server;
use crate::tidegate::Tidegate;
use tidegate::stats::trace::{Command, Event, Held, load};

const CLIENTS: u64 = 12;
const ROUNDS: u64 = 30;
/// Where everybody has a connection: what is recorded knows no queue.
const RECORDED: usize = 12;
const SIMULATED: [usize; 3] = [3, 4, 7];
const REPEATS: usize = 2;

/// What a prediction may be beside the truth, beyond what the repeats are beside each other: this much, and this share of
/// the truth. Waits are 25 ms and a sixth; a command takes 60 to 150 ms at the server.
pub const OF_WAITS: Slack = Slack { much: 0.025, share: 0.16 };
/// One connection.
const OF_PEAK: Slack = Slack { much: 1.0, share: 0.0 };
const OF_USE: Slack = Slack { much: 0.2, share: 0.05 };

#[derive(Debug, Clone, Copy)]
pub struct Slack {
    much: f64,
    share: f64,
}

/// What is compared of a run.
#[derive(Debug, Clone, Copy)]
struct Figures {
    /// Seconds.
    p50: f64,
    p99: f64,
    /// Connections at the server.
    peak: f64,
    /// Connections that are with a client, on average.
    used: f64,
}

pub struct Random(u64);

impl Random {
    /// The same for each number, and for no two alike.
    pub fn of(number: u64) -> Random {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(number);
        Random(hasher.finish())
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What one client does; the same in each run.
fn work(mut client: Client, number: u64) {
    let mut random = Random::of(number);
    let pause = |ms: u64| sleep(Duration::from_millis(ms));
    for _ in 0..ROUNDS {
        pause(50 + random.below(200));
        match random.below(100) {
            0..25 => {
                client.run("BEGIN");
                client.rows("SELECT SLEEP(0.06)");
                pause(120);
                client.run("COMMIT");
            }
            25..45 => drop(client.rows("SELECT SLEEP(0.15)")),
            _ => drop(client.rows("SELECT SLEEP(0.08)")),
        }
    }
    client.quit();
}

/// Runs the load with so many connections, on record.
fn run(server: &Server, size: usize, repeat: usize) -> (PathBuf, Tidegate, usize) {
    let user = format!("sim_{size}_{repeat}");
    account(server, &user, "SELECT ON *.*");
    let config = format!(
        "pool.mode = \"transaction\"\npool.size = {size}\npool.max_overflow = 0\n[[user]]\nname = \"{user}\"\npassword = \"\"\n"
    );
    let mut tidegate = Tidegate::serving(server, &config, &["--record", "t.trace"]);
    let peak = scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = Client::login(tidegate.address(), &user, "").expect("a login");
                scope.spawn(move || work(client, number))
            })
            .collect();
        let mut peak = 0;
        while clients.iter().any(|client| !client.is_finished()) {
            let count = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{user}'");
            peak = peak.max(server.sql(&count).parse().expect("a number"));
            sleep(Duration::from_millis(150));
        }
        peak
    });
    assert!(tidegate.stop().success());
    (tidegate.file("t.trace"), tidegate, peak)
}

/// What happened in a run.
fn happened(server: &Server, size: usize, repeat: usize) -> Figures {
    let (path, _tidegate, peak) = run(server, size, repeat);
    let (_, events) = load(&path).expect("a trace");
    let mut commands: Vec<&Command> = Vec::new();
    events.iter().for_each(|event| {
        if let Event::Command(command) = event {
            commands.push(command)
        }
    });
    let mut queue: Vec<f64> = commands.iter().map(|command| command.phases.queue.as_secs_f64()).collect();
    queue.sort_by(f64::total_cmp);
    let at = |share: f64| queue[((queue.len() as f64 * share).ceil() as usize - 1).min(queue.len() - 1)];
    Figures { p50: at(0.5), p99: at(0.99), peak: peak as f64, used: used(&commands) }
}

/// From its first command without a wait to the command that lets it go, a client has a connection.
fn used(commands: &[&Command]) -> f64 {
    let mut since: BTreeMap<u32, Duration> = BTreeMap::new();
    let (mut held, mut end) = (Duration::ZERO, Duration::ZERO);
    for command in commands {
        let began = since.remove(&command.client).unwrap_or(command.at + command.phases.queue);
        match command.held {
            Held::Free => held += command.ended().saturating_sub(began),
            _ => drop(since.insert(command.client, began)),
        }
        end = end.max(command.ended());
    }
    held.as_secs_f64() / end.as_secs_f64()
}

/// Whether the predictions, one for each recording, are beside what happened: as near as the recordings are to each other, and
/// the repeats to each other (what the machine alone does), and a little more.
pub fn is_near(predicted: &[f64], real: &[f64], slack: Slack) -> bool {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let spread = |values: &[f64]| {
        let (low, high) = values.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &v| (low.min(v), high.max(v)));
        high - low
    };
    let allowed = spread(predicted) + spread(real) + slack.much + slack.share * mean(real);
    (mean(predicted) - mean(real)).abs() <= allowed
}

#[test]
fn what_was_predicted_is_what_happens() {
    let server = &server(&[]);
    let (recorded, all) = scope(|scope| {
        let recorded: Vec<_> = (0..REPEATS).map(|repeat| scope.spawn(move || run(server, RECORDED, repeat))).collect();
        let cells = SIMULATED.iter().flat_map(|&size| (0..REPEATS).map(move |repeat| (size, repeat)));
        let running: Vec<_> =
            cells.map(|(size, repeat)| (size, scope.spawn(move || happened(server, size, repeat)))).collect();
        let mut all: BTreeMap<usize, Vec<Figures>> = BTreeMap::new();
        for (size, figures) in running {
            all.entry(size).or_default().push(figures.join().expect("a run"));
        }
        (recorded.into_iter().map(|run| run.join().expect("a recorded run")).collect::<Vec<_>>(), all)
    });
    let told: Vec<_> = recorded.iter().map(|(path, ..)| simulated(path, &["--size", "3,4,7"])).collect();
    let mut wrong = Vec::new();
    for (at, size) in SIMULATED.into_iter().enumerate() {
        let predicted = |section: &str, name: &str| -> Vec<f64> {
            told.iter().map(|told| told["settings"][at][section][name].as_f64().expect("a number")).collect()
        };
        assert_eq!(told[0]["settings"][at]["size"], size);
        for (what, predicted, slack, of) in [
            ("queue p50", predicted("queue", "p50"), OF_WAITS, (|f| f.p50) as fn(&Figures) -> f64),
            ("queue p99", predicted("queue", "p99"), OF_WAITS, |f| f.p99),
            ("connections", predicted("connections", "peak"), OF_PEAK, |f| f.peak),
            ("in use", predicted("in_use", "mean"), OF_USE, |f| f.used),
        ] {
            let real: Vec<f64> = all[&size].iter().map(of).collect();
            println!("size {size:>2}  {what:<12} predicted {predicted:>6.3?}  real {real:>6.3?}");
            if !is_near(&predicted, &real, slack) {
                wrong.push(format!("size {size}: {what}: {predicted:.3?}, but {real:.3?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
