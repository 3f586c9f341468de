//! What is to be done: the options, checked and resolved.

mod trace;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Failure;
use super::account::Account;
use super::options::{BenchArgs, BenchMode};
use super::workload::{self, MAX_BYTES, Workload};

/// How long a client thinks where nothing is said.
const USUAL_THINK: Duration = Duration::from_millis(50);
const USUAL_CLIENTS: u32 = 200;
const USUAL_SECONDS: Duration = Duration::from_secs(5);
const USUAL_WARM_UP: Duration = Duration::from_secs(1);
const USUAL_WORKLOAD: &str = "mixed";
/// The most of what can be asked for.
const MAX_SIZE: u32 = 10_000;
const MAX_CLIENTS: u32 = 20_000;
const MAX_RATE: u32 = 1_000_000;
const MAX_REPEATS: u32 = 1_000;
/// The most requests of one run: all of them may have to wait.
const MAX_REQUESTS: f64 = 1e7;
/// Percentiles of a shorter time say nothing.
const LEAST_SECONDS: Duration = Duration::from_millis(100);

/// A sweep.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The cells in the report's order: direct connections first.
    pub cells: Vec<Setting>,
    /// How many clients there are (of a trace: the most at once).
    pub clients: usize,
    /// When requests come.
    pub arrivals: Arrivals,
    /// How long a cell is measured in a round.
    pub seconds: Duration,
    /// How long it is under load before that.
    pub warm_up: Duration,
    /// How many rounds.
    pub repeats: usize,
    /// What clients ask.
    pub workload: Workload,
    /// The server; `None`: a private one.
    pub server: Option<Account>,
    /// What is written.
    pub outputs: Outputs,
}

/// What a cell is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Setting {
    /// No tidegate: each client has a server connection of its own.
    Direct,
    /// Through tidegate.
    Pool {
        /// `pool.mode`
        mode: BenchMode,
        /// `pool.size`, without overflow.
        size: usize,
    },
}

impl Setting {
    /// Such as `transaction 25`.
    pub fn name(self) -> String {
        match self {
            Setting::Direct => "direct".to_owned(),
            Setting::Pool { mode, size } => format!("{} {size}", mode.name()),
        }
    }
}

/// When requests come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrivals {
    /// So many a second, whatever becomes of those before.
    Open {
        /// On the average; they come by chance (a Poisson process).
        per_second: u32,
    },
    /// Each client's next one comes when it has thought.
    Closed {
        /// The average.
        think: Duration,
    },
    /// As the trace says, whatever becomes of other clients' requests.
    Recorded,
}

/// Files to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outputs {
    pub html: Option<PathBuf>,
    pub csv: Option<PathBuf>,
    pub json: Option<PathBuf>,
    /// A folder.
    pub hlog: Option<PathBuf>,
}

impl Plan {
    /// For how many clients at once there must be room. Those of a trace leave later where their answers come later.
    pub fn room(&self) -> usize {
        /// So many times as many as were there at once.
        const LATER: usize = 2;
        const FEW: usize = 100;
        match &self.workload.replay {
            Some(replay) => replay.players.len().min(LATER * self.clients + FEW),
            None => self.clients,
        }
    }

    /// What takes from the trust in what is played, a line each.
    pub fn doubts(&self) -> &[String] {
        self.workload.replay.as_ref().map(|replay| replay.doubts.as_slice()).unwrap_or_default()
    }

    /// Checks and resolves the options; files to be written are tried.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn resolve(args: &BenchArgs) -> Result<Plan, Failure> {
        let plan = match &args.trace {
            Some(file) => trace::plan(args, file),
            None => by_options(args),
        };
        let plan = plan.map_err(Failure::Input)?;
        plan.outputs.try_all().map_err(Failure::Input)?;
        Ok(plan)
    }
}

/// The load is what the options say.
fn by_options(args: &BenchArgs) -> Result<Plan, String> {
    if args.speed.is_some() {
        return Err("--speed: it is a trace's, and there is no --trace".to_owned());
    }
    let (seconds, warm_up) = (args.seconds.unwrap_or(USUAL_SECONDS), args.warm_up.unwrap_or(USUAL_WARM_UP));
    Ok(Plan {
        cells: cells(args)?,
        clients: within("--clients", args.clients.unwrap_or(USUAL_CLIENTS), MAX_CLIENTS)? as usize,
        arrivals: arrivals(args, warm_up + seconds)?,
        seconds: long_enough(seconds)?,
        warm_up,
        repeats: repeats(args)?,
        workload: workload(args.workload.as_deref().unwrap_or(USUAL_WORKLOAD))?,
        server: server(args)?,
        outputs: outputs(args),
    })
}

fn repeats(args: &BenchArgs) -> Result<usize, String> {
    within("--repeats", args.repeats, MAX_REPEATS).map(|repeats| repeats as usize)
}

fn server(args: &BenchArgs) -> Result<Option<Account>, String> {
    args.server.as_deref().map(Account::parse).transpose()
}

/// Each mode with each size, the sizes in their order.
fn cells(args: &BenchArgs) -> Result<Vec<Setting>, String> {
    let mut sizes = args.size.iter().map(|&size| within("--size", size, MAX_SIZE)).collect::<Result<Vec<_>, _>>()?;
    let mut modes = args.mode.clone();
    sizes.sort_unstable();
    sizes.dedup();
    modes.sort_unstable();
    modes.dedup();
    let of_mode = |mode| sizes.iter().map(move |&size| Setting::Pool { mode, size: size as usize });
    Ok([Setting::Direct].into_iter().chain(modes.into_iter().flat_map(of_mode)).collect())
}

fn arrivals(args: &BenchArgs, run: Duration) -> Result<Arrivals, String> {
    match args.rate {
        Some(rate) => {
            let per_second = within("--rate", rate, MAX_RATE)?;
            let requests = f64::from(rate) * run.as_secs_f64();
            match requests > MAX_REQUESTS {
                true => Err(format!(
                    "--rate {rate}: these are {requests:.0} requests in a run, where {MAX_REQUESTS} are the most"
                )),
                false => Ok(Arrivals::Open { per_second }),
            }
        }
        None => Ok(Arrivals::Closed { think: args.think.unwrap_or(USUAL_THINK) }),
    }
}

fn within(option: &str, number: u32, most: u32) -> Result<u32, String> {
    match number {
        0 => Err(format!("{option} 0: it must be at least 1")),
        number if number > most => Err(format!("{option} {number}: it must be at most {most}")),
        number => Ok(number),
    }
}

fn long_enough(seconds: Duration) -> Result<Duration, String> {
    match seconds < LEAST_SECONDS {
        true => {
            Err(format!("--seconds {}: it must be at least {}", seconds.as_secs_f64(), LEAST_SECONDS.as_secs_f64()))
        }
        false => Ok(seconds),
    }
}

fn workload(name: &str) -> Result<Workload, String> {
    if let Some(workload) = Workload::built_in(name) {
        return Ok(workload);
    }
    let file = Path::new(name);
    if !file.exists() {
        return Err(format!("--workload {name}: neither one of {} nor a file", workload::names()));
    }
    let unreadable = |why: String| format!("--workload {name}: {why}");
    let bytes = fs::metadata(file).map_err(|error| unreadable(error.to_string()))?.len();
    if bytes > MAX_BYTES {
        return Err(unreadable(format!("{bytes} bytes, where {MAX_BYTES} are the most")));
    }
    let text = fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(text).map_err(|_| unreadable("it is not UTF-8".to_owned()))?;
    Workload::from_text(name, &text)
}

fn outputs(args: &BenchArgs) -> Outputs {
    let first = [&args.html, &args.csv, &args.json].into_iter().flatten().next();
    let beside = || {
        let first = first?;
        Some(first.with_file_name(format!("{}-hlog", first.file_stem()?.to_string_lossy())))
    };
    Outputs {
        html: args.html.clone(),
        csv: args.csv.clone(),
        json: args.json.clone(),
        hlog: args.hlog.clone().or_else(beside),
    }
}

impl Outputs {
    /// Who has waited for minutes should not hear then that a folder does not exist.
    fn try_all(&self) -> Result<(), String> {
        for file in [&self.html, &self.csv, &self.json].into_iter().flatten() {
            try_file(file).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        match &self.hlog {
            Some(folder) => fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display())),
            None => Ok(()),
        }
    }
}

/// Leaves nothing behind that was not there.
fn try_file(file: &Path) -> std::io::Result<()> {
    let was_there = file.exists();
    fs::OpenOptions::new().append(true).create(true).open(file)?;
    if was_there { Ok(()) } else { fs::remove_file(file) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn plan(options: &[&str]) -> Result<Plan, String> {
        let cli = Cli::try_parse_from([&["bench"], options].concat()).map_err(|error| error.to_string())?;
        Plan::resolve(&cli.bench).map_err(|failure| failure.to_string())
    }

    #[test]
    fn direct_comes_first_then_each_mode_with_each_size() {
        let plan = plan(&["--size", "25,5,25", "--mode", "session,transaction"]).expect("good");
        let names: Vec<_> = plan.cells.iter().map(|cell| cell.name()).collect();
        assert_eq!(names, ["direct", "transaction 5", "transaction 25", "session 5", "session 25"]);
    }

    #[test]
    fn the_load_is_open_where_a_rate_is_given() {
        let arrivals = |options: &[&str]| plan(options).expect("good").arrivals;
        assert_eq!(arrivals(&[]), Arrivals::Closed { think: USUAL_THINK });
        assert_eq!(arrivals(&["--think", "0s"]), Arrivals::Closed { think: Duration::ZERO });
        assert_eq!(arrivals(&["--rate", "500"]), Arrivals::Open { per_second: 500 });
        assert!(plan(&["--rate", "500", "--think", "1s"]).is_err());
    }

    #[test]
    fn dumps_lie_beside_the_first_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let html = folder.path().join("report.html");
        let outputs = plan(&["--html", html.to_str().expect("UTF-8")]).expect("good").outputs;
        assert_eq!(outputs.hlog, Some(folder.path().join("report-hlog")));
        assert!(outputs.hlog.expect("a folder").is_dir() && !html.exists());
        assert_eq!(plan(&[]).expect("good").outputs, Outputs::default());
    }

    #[test]
    fn what_cannot_be_done_is_said_in_one_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let binary = folder.path().join("binary.sql");
        fs::write(&binary, [0xFF, 0xFE]).expect("written");
        let (binary, place) = (binary.to_str().expect("UTF-8"), folder.path().to_str().expect("UTF-8"));
        for (options, said) in [
            (vec!["--size", "5,0"], "--size 0: it must be at least 1"),
            (vec!["--size", "20000"], "--size 20000: it must be at most 10000"),
            (vec!["--clients", "0"], "--clients 0"),
            (vec!["--rate", "0"], "--rate 0"),
            (vec!["--repeats", "0"], "--repeats 0"),
            (vec!["--rate", "100000", "--seconds", "200"], "--rate 100000: these are 20100000 requests"),
            (vec!["--seconds", "0"], "--seconds 0"),
            (vec!["--workload", "nothing"], "neither one of point-select, read-write, mixed, connect nor a file"),
            (vec!["--workload", place], "--workload"),
            (vec!["--workload", binary], "not UTF-8"),
            (vec!["--server", "nobody"], "--server: there is no @"),
            (vec!["--html", "/nowhere/x.html"], "/nowhere/x.html: No such file"),
            (vec!["--json", place], "directory"),
        ] {
            let error = plan(&options).expect_err(said);
            assert!(error.contains(said) && !error.contains('\n'), "{options:?}: {error}");
        }
        for options in [["--mode", "observe"], ["--seconds", "x"], ["--seconds", "-1"], ["--think", "5"]] {
            assert!(plan(&options).is_err(), "{options:?}");
        }
    }
}
