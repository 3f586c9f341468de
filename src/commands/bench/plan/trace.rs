//! A sweep whose load is a trace: the trace says who comes when, and asks what.

use std::path::Path;
use std::time::Duration;

use super::super::options::BenchArgs;
use super::super::replay;
use super::super::workload::Workload;
use super::{Arrivals, LEAST_SECONDS, MAX_CLIENTS, Plan, cells, long_enough, outputs, repeats, server};
use crate::commands::simulate::Factor;

/// Checks the options first: a trace may take its time to be read.
pub(super) fn plan(args: &BenchArgs, file: &Path) -> Result<Plan, String> {
    nothing_else_says_it(args)?;
    let server =
        server(args)?.ok_or("--trace: it needs a --server that has the recorded tables (a copy: see --help)")?;
    let (cells, repeats) = (cells(args)?, repeats(args)?);
    let cut = args.seconds.map(long_enough).transpose()?;
    let replay = replay::read(file).map_err(|why| format!("--trace {why}"))?;
    let replay = match args.speed {
        Some(Factor(speed)) => replay.at_speed(speed),
        None => replay,
    };
    let clients = replay.most_at_once();
    if clients > MAX_CLIENTS as usize {
        return Err(format!("--trace {}: {clients} clients at once, where {MAX_CLIENTS} are the most", file.display()));
    }
    let span = replay.span().max(LEAST_SECONDS);
    let seconds = cut.map_or(span, |cut| cut.min(span));
    if replay.statements(seconds) == 0 {
        let seconds = seconds.as_secs_f64();
        return Err(format!("--seconds {seconds}: the trace has no statement by then"));
    }
    Ok(Plan {
        cells,
        clients,
        arrivals: Arrivals::Recorded,
        seconds,
        warm_up: Duration::ZERO,
        repeats,
        workload: Workload::of_trace(&file.display().to_string(), replay),
        server: Some(server),
        outputs: outputs(args),
    })
}

fn nothing_else_says_it(args: &BenchArgs) -> Result<(), String> {
    let given = [
        ("--workload", args.workload.is_some()),
        ("--clients", args.clients.is_some()),
        ("--rate", args.rate.is_some()),
        ("--think", args.think.is_some()),
        ("--warm-up", args.warm_up.is_some()),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => {
            Err(format!("--trace and {option} do not go together: the trace says who asks what, and when"))
        }
        None => Ok(()),
    }
}
