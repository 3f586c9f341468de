//! What can be asked of `tidegate bench`, as typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::commands::simulate::Factor;

/// `tidegate bench ..`
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = BEGIN, after_long_help = EXAMPLES)]
pub struct BenchArgs {
    /// The pool sizes to try: hard bounds on server connections
    #[arg(long, value_name = "N,N,..", value_delimiter = ',', default_value = "5,10,25,50")]
    pub size: Vec<u32>,
    /// The pool modes to try
    #[arg(long, value_name = "MODE,..", value_delimiter = ',', default_value = "transaction", value_enum)]
    pub mode: Vec<BenchMode>,
    /// How many clients there are; each has one connection [default: 200]
    #[arg(long, value_name = "N")]
    pub clients: Option<u32>,
    /// Open loop: so many requests a second come, whether the ones before are done or not. Each one's time counts from when it
    /// was to begin, so that no waiting is hidden
    #[arg(long, value_name = "PER_SECOND", conflicts_with = "think")]
    pub rate: Option<u32>,
    /// Closed loop: each client thinks this long (give or take a half) between its requests; 0s: not at all [default: 50ms,
    /// where no --rate is given]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub think: Option<Duration>,
    /// How long each setting is measured in a round [default: 5, or a trace's whole length]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<Duration>,
    /// How long it is under load before that [default: 1]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub warm_up: Option<Duration>,
    /// How many rounds; what differs between them is the noise
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub repeats: u32,
    /// What a client asks: point-select, read-write (a transaction), mixed (90 % point selects, 9 % transactions, 0.5 % take
    /// 100 ms), connect (connects for each point select, as PHP does), or a file of SQL (see below) [default: mixed]
    #[arg(long, value_name = "NAME|FILE")]
    pub workload: Option<String>,
    /// Instead of a workload, play what `tidegate serve --record FILE --record-literals` has recorded: the same clients with the
    /// same statements at the same times (see below). Needs --server
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Play the trace so many times as fast: x2, x0.5
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<Factor>,
    /// The server to measure against; without it a private MariaDB in a temporary folder. The workloads above make a table
    /// tidegate_bench in SCHEMA, and drop it
    #[arg(long, value_name = "USER:PASSWORD@HOST:PORT/SCHEMA")]
    pub server: Option<String>,
    /// Write a report with plots: one file that needs no other
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write a row for each setting
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write everything, each round's figures too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a histogram dump (.hlog) for each setting there [default: beside the first of the files above, in a folder named
    /// after it]
    #[arg(long, value_name = "FOLDER")]
    pub hlog: Option<PathBuf>,
}

/// A mode that has a pool to size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum BenchMode {
    /// A connection is lent for one transaction
    Transaction,
    /// A connection is lent while the client stays
    Session,
}

impl BenchMode {
    /// As in `pool.mode`.
    pub fn name(self) -> &'static str {
        match self {
            BenchMode::Transaction => "transaction",
            BenchMode::Session => "session",
        }
    }
}

const BEGIN: &str =
    "Begin with this (it takes about two minutes, and needs MariaDB's server: apt install mariadb-server), \
then open report.html:

    tidegate bench --html report.html";

const EXAMPLES: &str = "Begin with this (it takes about two minutes, and needs MariaDB's server: apt install mariadb-server), \
then open report.html:

    tidegate bench --html report.html

In each round every setting runs once: direct connections, then a fresh tidegate for each size and mode; so what else the \
machine does hits all alike. The report names the smallest pool that is as good as the best one, why, and how sure that is: \
what a setting's own rounds differ by is the noise.

Your own server (never one in production: it is loaded as far as it goes), your own statements, a fixed rate:

    tidegate bench --html report.html --workload shop.sql --rate 500 --clients 100 \\
        --server app:secret@127.0.0.1:3306/shop

A file of SQL: each statement is a request, and ends with a semicolon. Behind a line `-- weight 5` all statements up to the \
next such line are one request, which comes five times as often as one of weight 1. {1..3000} stands for a random number.

    -- weight 9
    SELECT name FROM customers WHERE id = {1..3000};
    -- weight 1
    BEGIN;
    UPDATE customers SET seen = seen + 1 WHERE id = {1..3000};
    COMMIT;

A recorded trace (an open loop): each recorded client connects, sends its statements and leaves when it did then; it waits for an \
answer before it sends on, and its time counts from when it was to send. All of them log in as --server says, into its schema. \
What a trace writes, it writes anew in every run, direct connections included: play it against a copy. An error that was \
recorded too is none. Each run plays the trace once, and up to 10 s more for what is late; --seconds cuts it.

    tidegate serve --record busy.trace --record-literals
    tidegate bench --trace busy.trace --size 5,10,25 --server app:secret@127.0.0.1:3306/shop

Ctrl-C ends the bench and keeps what was measured. Exit status: 0 done, 1 broken off, 2 bad input, 130 stopped.";

/// `5`, `0.5`
fn seconds(text: &str) -> Result<Duration, String> {
    /// A day.
    const MOST: f64 = 86_400.0;
    let seconds: f64 = text.parse().map_err(|_| "write a number of seconds, such as 10".to_owned())?;
    if !(0.0..=MOST).contains(&seconds) {
        return Err(format!("write a number of seconds from 0 to {MOST}"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// `50ms`, `0s`
fn duration(text: &str) -> Result<Duration, String> {
    crate::config::units::duration(text).map_err(|fault| format!("{}; {}", fault.what, fault.instead))
}
