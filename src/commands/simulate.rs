//! `tidegate simulate`: recorded traffic against other pool settings, offline.

mod advice;
mod costs;
mod formats;
mod load;
mod outcome;
mod page;
mod setting;
mod table;
mod what_if;
mod world;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use clap::Args;

pub use costs::Costs;
pub use load::{Hold, Key, Load, Script, Step, load};
pub use outcome::{Latencies, Outcome, percentile};
pub use setting::{Factor, Mode, Setting, Sizes, Slow, recorded};
pub use world::simulate;

use crate::stats::trace::Ending;

/// `tidegate simulate ..`
#[derive(Debug, Clone, PartialEq, Args)]
pub struct SimulateArgs {
    /// A trace that `serve --record` or the console's RECORD START has written; its files that were set aside are read too
    pub trace: PathBuf,
    /// pool.size: `5,10,25`, `5..100` (up to 12 of them), `5..100/5` (each fifth), `x0.5` (of the recorded one) [default: recorded]
    #[arg(long, value_name = "SIZES", value_delimiter = ',')]
    pub size: Vec<Sizes>,
    /// pool.mode: `transaction`, `session`, or both [default: recorded]
    #[arg(long, value_name = "MODES", value_delimiter = ',')]
    pub mode: Vec<Mode>,
    /// pool.max_overflow [default: recorded]
    #[arg(long, value_name = "N")]
    pub max_overflow: Option<usize>,
    /// pool.checkout_timeout [default: recorded]
    #[arg(long, value_name = "TIME", value_parser = setting::duration)]
    pub checkout_timeout: Option<Duration>,
    /// What if there were so many times the clients (`x2`)
    #[arg(long, value_name = "FACTOR")]
    pub clients: Option<Factor>,
    /// What if the server took so many times as long (`x1.3`)
    #[arg(long, value_name = "FACTOR")]
    pub server_time: Option<Factor>,
    /// What if now and then a command took longer (`1min:2s`)
    #[arg(long, value_name = "EVERY:LONGER")]
    pub slow_query_every: Option<Slow>,
    /// Write the outcome as JSON; `-` is standard output, without the table
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The same as CSV
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// A page with the curves
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Runs the command; its exit code: 0 done, 2 the trace cannot be used or a file cannot be written.
pub fn run(args: &SimulateArgs) -> u8 {
    match execute(args, &mut io::stdout().lock()) {
        Ok(()) => 0,
        // The reader had enough: `tidegate simulate x | head`.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) => 0,
        Err(error) => {
            eprintln!("tidegate simulate: {error:#}");
            2
        }
    }
}

fn execute(args: &SimulateArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let load = load(&args.trace)?;
    anyhow::ensure!(load.commands() > 0, "{}: a trace without commands", args.trace.display());
    for word in doubts(&load) {
        eprintln!("tidegate simulate: {word}");
    }
    let settings = settings(args, &load)?;
    let load = what_if(args, load);
    let outcomes = all(&load, &settings, args.slow_query_every);
    let advice = advice::advice(&load, &outcomes);
    let is_stdout = |file: &Option<PathBuf>| file.as_deref() == Some(Path::new("-"));
    if !is_stdout(&args.json) && !is_stdout(&args.csv) {
        out.write_all(table::text(&load, &outcomes, &advice).as_bytes())?;
    }
    if let Some(file) = &args.json {
        put(file, &formats::json(&load, &outcomes, &advice)?, out)?;
    }
    if let Some(file) = &args.csv {
        put(file, &formats::csv(&outcomes), out)?;
    }
    if let Some(file) = &args.html {
        put(file, &page::html(&load, &outcomes, &advice), out)?;
    }
    Ok(())
}

fn put(file: &Path, text: &str, out: &mut impl Write) -> anyhow::Result<()> {
    match file == Path::new("-") {
        true => out.write_all(text.as_bytes()).map_err(Into::into),
        false => std::fs::write(file, text).with_context(|| file.display().to_string()),
    }
}

/// What takes from the trust in a trace, each in a line.
fn doubts(load: &Load) -> Vec<String> {
    let summary = &load.summary;
    let mut doubts = Vec::new();
    if summary.ending == Ending::Cut {
        let commands = load.commands();
        doubts.push(format!(
            "the trace is cut off, or still being recorded: its {commands} commands up to there are used"
        ));
    }
    if summary.lost > 0 {
        doubts.push(format!(
            "{} events were lost in recording: the load was larger than what is simulated",
            summary.lost
        ));
    }
    if load.unserved > 0 {
        let unserved = load.unserved;
        doubts.push(format!(
            "{unserved} commands got no backend when they were recorded: they are simulated as if they took no time"
        ));
    }
    if summary.origin.part > 1 {
        doubts.push("the trace's first files are gone: clients of then are there from their next command on".into());
    }
    if summary.origin.mode != "transaction" {
        let mode = &summary.origin.mode;
        doubts.push(format!(
            "recorded in mode {mode}: of what keeps a backend, mode transaction would know more than open transactions"
        ));
    }
    if load.costs.dial_is_guessed {
        doubts.push("nothing was dialed while the trace was recorded: what a dial costs is a guess".into());
    }
    doubts
}

fn settings(args: &SimulateArgs, load: &Load) -> anyhow::Result<Vec<Setting>> {
    let origin = &load.summary.origin;
    let mut pool = recorded(&origin.pool);
    pool.max_overflow = args.max_overflow.unwrap_or(pool.max_overflow);
    pool.checkout_timeout = args.checkout_timeout.unwrap_or(pool.checkout_timeout);
    let sizes = match args.size.as_slice() {
        [] => vec![pool.size],
        items => setting::sizes(items, pool.size).map_err(anyhow::Error::msg)?,
    };
    let mut modes = args.mode.clone();
    if modes.is_empty() {
        modes.push(if origin.mode == "session" { Mode::Session } else { Mode::Transaction });
    }
    modes.dedup();
    let setting = |mode, size| Setting { mode, pool: crate::pool::policy::PoolSettings { size, ..pool.clone() } };
    Ok(modes.iter().flat_map(|&mode| sizes.iter().map(move |&size| (mode, size))).map(|(m, s)| setting(m, s)).collect())
}

fn what_if(args: &SimulateArgs, load: Load) -> Load {
    let load = match args.clients {
        Some(factor) => load.with_clients(factor),
        None => load,
    };
    match args.server_time {
        Some(factor) => load.with_server_time(factor),
        None => load,
    }
}

/// Every setting, as many at a time as there are cores.
fn all(load: &Load, settings: &[Setting], slow: Option<Slow>) -> Vec<Outcome> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(settings.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((at, setting)) = settings.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = simulate(load, setting, slow);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
