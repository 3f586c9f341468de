//! What a sweep has shown, in every form that was asked for.

mod csv;
mod hlog;
mod json;
mod text;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::cell::Cell;
use super::html;
use super::plan::{Arrivals, Plan};
use super::recommend::{Advice, recommend};
use super::sweep::{Place, Swept};
use super::workload::counted;

/// A sweep's results, with the recommendation.
pub(super) struct Report<'a> {
    pub plan: &'a Plan,
    pub place: &'a Place,
    pub cells: &'a [Cell],
    /// Rounds that were finished.
    pub rounds: usize,
    pub advice: Advice,
}

impl<'a> Report<'a> {
    /// Of what was measured.
    pub fn of(plan: &'a Plan, swept: &'a Swept) -> Report<'a> {
        let candidates: Vec<_> = swept.cells.iter().map(Cell::candidate).collect();
        Report { plan, place: &swept.place, cells: &swept.cells, rounds: swept.rounds, advice: recommend(&candidates) }
    }

    /// Nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(|cell| cell.runs.is_empty())
    }

    /// Prints the table and writes the files.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self) -> anyhow::Result<()> {
        print(&text::text(self))?;
        let outputs = &self.plan.outputs;
        if let Some(folder) = &outputs.hlog {
            for cell in self.measured() {
                write(&hlog_file(folder, cell), &hlog::encode(cell))?;
            }
        }
        let mut written = Vec::new();
        if let Some(file) = &outputs.csv {
            write(file, &csv::encode(self)?)?;
            written.push(file.display().to_string());
        }
        if let Some(file) = &outputs.json {
            write(file, &json::encode(self)?)?;
            written.push(file.display().to_string());
        }
        if let Some(file) = &outputs.html {
            write(file, html::page(self).as_bytes())?;
            written.push(file.display().to_string());
        }
        written.extend(outputs.hlog.as_ref().map(|folder| format!("{}/*.hlog", folder.display())));
        if !written.is_empty() {
            print(&format!("\nwritten: {}\n", written.join(", ")))?;
        }
        Ok(())
    }

    /// The cells that were measured at least once.
    pub fn measured(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| !cell.runs.is_empty())
    }

    /// Where a cell's histogram dump is; `None`: nowhere.
    pub fn dump_of(&self, cell: &Cell) -> Option<PathBuf> {
        self.plan.outputs.hlog.as_ref().map(|folder| hlog_file(folder, cell))
    }

    /// The load in words.
    pub fn load(&self) -> String {
        let arrivals = match self.plan.arrivals {
            Arrivals::Open { per_second } => format!("open loop, {per_second} requests/s"),
            Arrivals::Closed { think } if think.is_zero() => "closed loop, no think time".to_owned(),
            Arrivals::Closed { think } => format!("closed loop, {think:?} think time"),
            Arrivals::Recorded => "open loop, as recorded".to_owned(),
        };
        format!(
            "{} clients, {arrivals}, workload {} ({})",
            self.plan.clients, self.plan.workload.name, self.plan.workload.about
        )
    }

    /// The measuring in words.
    pub fn method(&self) -> String {
        if self.plan.workload.replay.is_some() {
            return format!(
                "{} of {} rounds, {:.1} s of the trace in each; medians over the rounds. Times are the clients' own, from when a \
                 statement was to be sent to its reply's last byte.",
                self.rounds,
                self.plan.repeats,
                self.plan.seconds.as_secs_f64(),
            );
        }
        format!(
            "{} of {} rounds, {} s each after {} s of warm-up; medians over the rounds. Times are the clients' own, from when a \
             request was to begin to its last byte.",
            self.rounds,
            self.plan.repeats,
            self.plan.seconds.as_secs_f64(),
            self.plan.warm_up.as_secs_f64(),
        )
    }

    /// What casts doubt on the figures.
    pub fn doubts(&self) -> Vec<String> {
        /// The load generator's own lateness that still does not matter.
        const MOST_LATE: u64 = 2_000_000;
        /// Of so many, ten lie above the p99.
        const FEW: u64 = 1_000;
        let late = self.cells.iter().filter_map(|cell| Some((cell.name(), cell.most(|run| run.late)?)));
        let late = late.filter(|(_, late)| *late > MOST_LATE).map(|(name, late)| {
            let late = crate::stats::hlog::table::short(late);
            format!(
                "{name}: the load generator itself was late by {late} (p99): this machine is too busy for this rate."
            )
        });
        let unserved = self.measured().map(|cell| (cell.name(), cell.sum(|run| run.unserved)));
        let unserved = unserved.filter(|(_, count)| *count > 0).map(|(name, count)| {
            let requests = counted(count as usize, "request");
            format!("{name}: not over when the time was: {requests}, counted with the time waited by then.")
        });
        let few = self.measured().filter_map(|cell| Some((cell.name(), cell.fewest_requests()?)));
        let few = few
            .filter(|(_, count)| *count < FEW)
            .map(|(name, count)| format!("{name}: {count} requests in a round are few for a p99: measure longer."));
        self.plan.doubts().iter().cloned().chain(late).chain(unserved).chain(few).collect()
    }
}

fn hlog_file(folder: &Path, cell: &Cell) -> PathBuf {
    folder.join(format!("{}.hlog", cell.file_name()))
}

/// A reader that had enough (`| head`) is no failure: the files are still to be written.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(file, bytes).with_context(|| file.display().to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::super::cell::tests::run;
    use super::super::options::BenchMode;
    use super::super::plan::{Outputs, Setting};
    use super::super::workload::Workload;
    use super::*;

    const THROUGH: [&str; 3] = ["response", "statement", "queue"];

    /// Two rounds of direct connections and of two sizes in two modes; the last one was not measured.
    pub fn with_report<T>(test: impl FnOnce(&Report<'_>) -> T) -> T {
        let pool = |mode, size| Setting::Pool { mode, size };
        let cells = vec![
            Cell { setting: Setting::Direct, runs: vec![run(100, &["response"]); 2] },
            Cell { setting: pool(BenchMode::Transaction, 5), runs: vec![run(95, &THROUGH); 2] },
            Cell { setting: pool(BenchMode::Transaction, 10), runs: vec![run(95, &THROUGH); 2] },
            Cell { setting: pool(BenchMode::Session, 5), runs: Vec::new() },
        ];
        let plan = Plan {
            cells: cells.iter().map(|cell| cell.setting).collect(),
            clients: 20,
            arrivals: Arrivals::Open { per_second: 50 },
            seconds: Duration::from_secs(1),
            warm_up: Duration::ZERO,
            repeats: 2,
            workload: Workload::from_text("a<b>.sql", "SELECT 1").expect("good"),
            server: None,
            outputs: Outputs::default(),
        };
        let place = Place { machine: "2 cores".into(), server: "10.11".into(), began: Duration::from_secs(1_000) };
        test(&Report::of(&plan, &Swept { cells, place, rounds: 2, ended: Ok(()) }))
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        with_report(|report| {
            let names: Vec<_> = report.measured().map(Cell::name).collect();
            assert_eq!(names, ["direct", "transaction 5", "transaction 10"]);
            assert!(!report.is_empty());
            let doubts = report.doubts();
            assert!(
                doubts.len() == 3 && doubts[0].starts_with("direct: 100 requests in a round are few"),
                "{doubts:?}"
            );
        });
    }
}
