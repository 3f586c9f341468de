//! `tidegate bench`: sweeps pool settings under load and says which to take.
//!
//! ```text
//! options -> plan -> sweep: in each round every cell once ──> report (table, CSV, JSON, HTML, .hlog)
//!                      └─ cell: gate (a fresh tidegate), load (clients, pace), watch (the server) -> measure
//!                                                             noise, recommend: pure
//! ```

mod account;
mod cell;
mod client;
mod gate;
mod html;
mod load;
mod machine;
mod measure;
mod noise;
mod options;
mod pace;
mod plan;
mod private;
mod progress;
mod recommend;
mod replay;
mod report;
mod server;
mod sweep;
mod table;
mod tally;
mod watch;
mod workload;

pub use self::options::BenchArgs;

use self::plan::Plan;
use self::report::Report;

/// Runs the command; its exit code: 0 done, 1 it could not be measured to the end, 2 bad input, 130 stopped by Ctrl-C. What was
/// measured before a failure or a stop is reported all the same.
pub fn run(args: &BenchArgs) -> u8 {
    let done = Plan::resolve(args).and_then(|plan| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Input(format!("no runtime: {error}")))?;
        runtime.block_on(measure_and_report(&plan))
    });
    match done {
        Ok(()) => 0,
        Err(failure) => {
            eprintln!("tidegate bench: {failure}");
            failure.exit_code()
        }
    }
}

/// Why a bench has no good end.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// What was asked for cannot be done.
    #[error("{0}")]
    Input(String),
    /// It broke off.
    #[error("{0}")]
    Broken(String),
    /// Ctrl-C.
    #[error("stopped; {0}")]
    Stopped(String),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Failure::Input(_) => 2,
            Failure::Broken(_) => 1,
            Failure::Stopped(_) => 130,
        }
    }
}

async fn measure_and_report(plan: &Plan) -> Result<(), Failure> {
    for doubt in plan.doubts() {
        eprintln!("tidegate bench: {doubt}");
    }
    let server = server::Server::ready(plan).await?;
    let swept = sweep::sweep(plan, &server).await;
    let left = server.leave().await;
    let report = Report::of(plan, &swept);
    if !report.is_empty() {
        report.write().map_err(|error| Failure::Broken(format!("{error:#}")))?;
    }
    swept.ended?;
    left
}
