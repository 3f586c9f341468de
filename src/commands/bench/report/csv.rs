//! A row for each cell: seconds, requests a second, connections. Times are seconds.

use super::super::cell::{Cell, QUANTILES};
use super::super::measure::PHASES;
use super::super::plan::Setting;
use super::Report;

pub(super) fn encode(report: &Report<'_>) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header())?;
    for cell in report.measured() {
        writer.write_record(row(cell, report))?;
    }
    Ok(writer.into_inner()?)
}

fn header() -> Vec<String> {
    let fixed = "setting mode size clients workload runs requests_per_second requests_per_second_min requests_per_second_max \
                 statements_per_second connections_max server_saw_connections_max errors unserved checkout_timeouts \
                 clients_without_connection server_cpu_cores tidegate_cpu_cores clients_cpu_cores recommended";
    let names = PHASES.into_iter().flat_map(|(phase, _)| QUANTILES.map(|(name, _)| format!("{phase}_{name}_seconds")));
    fixed.split_whitespace().map(str::to_owned).chain(names).collect()
}

fn row(cell: &Cell, report: &Report<'_>) -> Vec<String> {
    let (mode, size) = match cell.setting {
        Setting::Direct => (String::new(), String::new()),
        Setting::Pool { mode, size } => (mode.name().to_owned(), size.to_string()),
    };
    let throughputs = cell.throughputs();
    let number = |figure: Option<f64>| figure.map(|figure| format!("{figure:.3}")).unwrap_or_default();
    let whole = |figure: Option<u64>| figure.map(|figure| figure.to_string()).unwrap_or_default();
    let mut row = vec![
        cell.name(),
        mode,
        size,
        report.plan.clients.to_string(),
        report.plan.workload.name.clone(),
        cell.runs.len().to_string(),
        number(cell.median(|run| Some(run.throughput()))),
        number(throughputs.iter().copied().reduce(f64::min)),
        number(throughputs.iter().copied().reduce(f64::max)),
        number(cell.median(|run| Some(run.statements as f64 / run.seconds))),
        whole(cell.most(|run| Some(run.connections as u64))),
        whole(cell.most(|run| run.server_saw)),
        cell.errors().to_string(),
        cell.sum(|run| run.unserved).to_string(),
        cell.sum(|run| run.timeouts).to_string(),
        whole(cell.most(|run| Some(run.without_connection as u64))),
        number(cell.median(|run| Some(run.cpu.server?.as_secs_f64() / run.seconds))),
        number(cell.median(|run| Some(run.cpu.tidegate?.as_secs_f64() / run.seconds))),
        number(cell.median(|run| Some(run.cpu.clients?.as_secs_f64() / run.seconds))),
        (report.advice.choice == Some(cell.setting)).to_string(),
    ];
    for (phase, _) in PHASES {
        let seconds = |nanos: u64| format!("{:.6}", nanos as f64 / 1e9);
        row.extend(QUANTILES.map(|(_, quantile)| cell.percentile(phase, quantile).map(seconds).unwrap_or_default()));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::super::tests::with_report;
    use super::*;

    #[test]
    fn each_measured_cell_has_a_row_as_wide_as_the_header() {
        let bytes = with_report(|report| encode(report).expect("encoded"));
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let header = reader.headers().expect("a header").clone();
        let rows: Vec<_> = reader.records().map(|row| row.expect("a row as wide as the header")).collect();
        let of = |row: usize, name: &str| {
            let at = header.iter().position(|column| column == name).expect(name);
            rows[row][at].to_owned()
        };
        assert_eq!(rows.len(), 3);
        assert_eq!((of(0, "setting"), of(0, "size"), of(1, "size")), ("direct".into(), String::new(), "5".into()));
        assert_eq!(
            (of(0, "requests_per_second"), of(0, "response_p50_seconds")),
            ("100.000".into(), "0.050004".into())
        );
        assert_eq!((of(0, "queue_p99_seconds"), of(1, "recommended")), (String::new(), "true".into()));
        assert_eq!((of(0, "workload"), of(0, "tidegate_cpu_cores")), ("a<b>.sql".into(), String::new()));
    }
}
