//! The sweep: rounds, in each of which every cell runs once, until all are done, Ctrl-C or the loss of the server.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Failure;
use super::cell::Cell;
use super::client::Door;
use super::gate::{self, Gate, GateSeen};
use super::load::{self, Load, Seen};
use super::machine;
use super::measure::{Cpu, Measure};
use super::plan::{Plan, Setting};
use super::progress::Progress;
use super::server::Server;
use super::watch::Watcher;
use super::workload::Workload;
use crate::stats::hlog::Span;
use crate::stats::hlog::table::short;

/// What a run takes beside warm-up and measured time: a fresh tidegate, its clients' logins, its end.
const BESIDE: Duration = Duration::from_millis(500);

/// What was measured, and how it ended.
pub(super) struct Swept {
    /// In the plan's order.
    pub cells: Vec<Cell>,
    /// What the machine and the server are.
    pub place: Place,
    /// Rounds that were finished.
    pub rounds: usize,
    /// How the sweep ended.
    pub ended: Result<(), Failure>,
}

/// Where it was measured.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub machine: String,
    pub server: String,
    /// When it began, since 1970.
    pub began: Duration,
}

/// Measures every cell as often as planned. Ctrl-C drops the run under way and keeps those before.
pub(super) async fn sweep(plan: &Plan, server: &Server) -> Swept {
    let where_ = if server.is_private { "a private server".to_owned() } else { server.account.to_string() };
    let place = Place { machine: machine::describe(), server: format!("{} ({where_})", server.version), began: now() };
    let cells = plan.cells.iter().map(|&setting| Cell::new(setting)).collect();
    let mut swept = Swept { cells, place, rounds: 0, ended: Ok(()) };
    let ended = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => None,
        ended = all_rounds(plan, server, &mut swept) => Some(ended),
    };
    swept.ended = ended.unwrap_or_else(|| Err(Failure::Stopped(kept(&swept, plan))));
    swept
}

fn kept(swept: &Swept, plan: &Plan) -> String {
    let runs: usize = swept.cells.iter().map(|cell| cell.runs.len()).sum();
    format!("{runs} of {} runs were measured", plan.cells.len() * plan.repeats)
}

async fn all_rounds(plan: &Plan, server: &Server, swept: &mut Swept) -> Result<(), Failure> {
    let workload = Arc::new(plan.workload.clone());
    let runs = plan.cells.len() * plan.repeats;
    let mut progress = Progress::new(runs, plan.warm_up + plan.seconds + BESIDE);
    for round in 0..plan.repeats {
        for at in order(plan.cells.len(), round) {
            let setting = plan.cells[at];
            progress.begin(&setting.name(), round + 1);
            let began = Instant::now();
            let measured = one_run(plan, server, setting, &workload, round).await;
            let measured = measured.inspect_err(|_| progress.finish())?;
            progress.end(began.elapsed(), &summary(&setting.name(), &measured));
            swept.cells[at].runs.push(measured);
        }
        swept.rounds += 1;
    }
    progress.finish();
    Ok(())
}

/// To and fro, so that what changes with time changes for all alike.
fn order(cells: usize, round: usize) -> Vec<usize> {
    match round % 2 {
        0 => (0..cells).collect(),
        _ => (0..cells).rev().collect(),
    }
}

fn summary(name: &str, run: &Measure) -> String {
    let at = |phase| run.at(phase, 0.99).map_or_else(|| "-".to_owned(), short);
    let first = run.errors.values().next().map(|first| format!(", {} errors: {}", run.error_count(), first.example));
    let first = first.unwrap_or_default();
    format!("{name}: {:.0} requests/s, p99 {}, queue p99 {}{first}", run.throughput(), at("response"), at("queue"))
}

async fn one_run(
    plan: &Plan,
    server: &Server,
    setting: Setting,
    workload: &Arc<Workload>,
    round: usize,
) -> Result<Measure, Failure> {
    let broken = |why: String| Failure::Broken(format!("{}, round {}: {why}", setting.name(), round + 1));
    let control = server.take_control().await.ok_or_else(|| broken("the server is lost".to_owned()))?;
    let gate = match setting {
        Setting::Direct => None,
        Setting::Pool { mode, size } => {
            let settings =
                gate::settings(&server.account, mode, size, plan.room()).map_err(|e| broken(format!("{e:#}")))?;
            Some(Gate::start(settings).await.map_err(|error| broken(format!("tidegate: {error:#}")))?)
        }
    };
    let load = Load {
        door: door(server, gate.as_ref()),
        workload,
        clients: plan.clients,
        arrivals: plan.arrivals,
        warm_up: plan.warm_up,
        seconds: plan.seconds,
        // Every cell of a round meets the same requests.
        seed: round as u64 + 1,
    };
    let watcher = Watcher::start(control);
    let mut clock = Clock::new(server.pid);
    let seen = load::run(load, |is_over| {
        clock.turn(is_over);
        if !is_over {
            watcher.forget();
            if let Some(gate) = &gate {
                gate.forget();
            }
        }
    })
    .await;
    let (control, server_saw) = watcher.end().await.map_err(|error| broken(format!("{}: {error}", server.account)))?;
    server.give_control(control).await;
    let seen: Seen = seen.map_err(|error| broken(error.to_string()))?;
    let gate_seen: Option<GateSeen> = gate.as_ref().map(Gate::seen);
    if let Some(gate) = gate {
        gate.end().await.map_err(|error| broken(format!("tidegate: {error:#}")))?;
    }
    Ok(Measure::of(seen, gate_seen, clock.span(), server_saw, clock.cpu(setting)))
}

fn door(server: &Server, gate: Option<&Gate>) -> Door {
    match gate {
        None => server.door.clone(),
        Some(gate) => Door { account: Arc::new(server.account.at(gate.address())), tls: None },
    }
}

/// The measured time, and what it cost.
struct Clock {
    pid: Option<u32>,
    began: Reading,
    ended: Reading,
}

#[derive(Clone, Copy, Default)]
struct Reading {
    at: Duration,
    server: Option<Duration>,
    own: Option<(Duration, Duration)>,
}

impl Clock {
    fn new(pid: Option<u32>) -> Clock {
        Clock { pid, began: Reading::default(), ended: Reading::default() }
    }

    fn turn(&mut self, is_over: bool) {
        let reading =
            Reading { at: now(), server: self.pid.and_then(machine::process_time), own: machine::own_times() };
        if is_over { self.ended = reading } else { self.began = reading }
    }

    fn span(&self) -> Span {
        Span::between(self.began.at, self.ended.at)
    }

    fn cpu(&self, setting: Setting) -> Cpu {
        let spent = |from: Option<Duration>, to: Option<Duration>| Some(to?.saturating_sub(from?));
        let (began, ended) = (self.began.own, self.ended.own);
        let tidegate = spent(began.map(|own| own.0), ended.map(|own| own.0));
        Cpu {
            server: spent(self.began.server, self.ended.server),
            tidegate: tidegate.filter(|_| setting != Setting::Direct),
            clients: spent(began.map(|own| own.1), ended.map(|own| own.1)),
        }
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_every_cell_once() {
        assert_eq!((order(3, 0), order(3, 1), order(3, 2)), (vec![0, 1, 2], vec![2, 1, 0], vec![0, 1, 2]));
    }
}
