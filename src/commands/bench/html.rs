//! The report as one HTML file that needs no other.

use std::fmt::Write;

use super::cell::{Cell, QUANTILES};
use super::measure::PHASES;
use super::options::BenchMode;
use super::plan::Setting;
use super::report::Report;
use crate::commands::chart::{self, COLOURS, Chart, HEIGHT, Height, Line, Ticks, escaped};
use crate::commands::hist::plot::{curve, percentile_word};
use crate::stats::hlog::table::short;
use crate::stats::utc_seconds;

const STYLE: &str = "body{font-family:sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;font-size:13px;margin:1em 0}\
th,td{padding:3px 9px;text-align:right;border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}\
.advice{background:#eef5fb;border-left:4px solid #0072B2;padding:.5em 1em}.chosen{background:#eef5fb;font-weight:bold}\
.doubt{color:#a33}code{background:#f4f4f4}";

/// The page.
pub(super) fn page(report: &Report<'_>) -> String {
    let title = format!("tidegate bench: {}", report.plan.workload.name);
    let parts = [
        format!("<h1>{}</h1>\n<p>{}</p>\n", escaped(&title), escaped(&report.load())),
        advice(report),
        charts(report),
        settings_table(report),
        errors(report),
        phases_table(report),
        how(report),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style></head>\n\
         <body>\n{}</body>\n</html>\n",
        escaped(&title),
        parts.concat()
    )
}

fn advice(report: &Report<'_>) -> String {
    let items: String = report.advice.reasons.iter().map(|reason| format!("<li>{}</li>\n", escaped(reason))).collect();
    let doubts = report.doubts();
    let doubts: String = doubts.iter().map(|doubt| format!("<p class=\"doubt\">{}</p>\n", escaped(doubt))).collect();
    format!(
        "<div class=\"advice\"><p><b>{}</b></p>\n<ul>\n{items}</ul></div>\n{doubts}",
        escaped(&report.advice.verdict)
    )
}

/// Points of one line.
struct Points {
    name: String,
    colour: &'static str,
    dashed: bool,
    points: Vec<(f64, f64)>,
}

impl Points {
    fn line(&self, marked: bool) -> Line<'_> {
        Line { name: self.name.clone(), colour: self.colour, dashed: self.dashed, marked, points: &self.points }
    }
}

/// Sizes stand where their doublings are equally far apart.
fn place(count: f64) -> f64 {
    count.max(1.0).log2()
}

fn count_word(place: f64) -> String {
    format!("{:.0}", place.exp2())
}

fn charts(report: &Report<'_>) -> String {
    let (sizes, connections) = (by_size(report), by_connections(report));
    let curves = by_percentile(report);
    let drawn = [
        (
            Chart {
                title: "p99 of the response time, and of the time in the queue, against the pool's size",
                ticks: ticks(&sizes),
                height: Height::Time,
                x_word: &count_word,
            },
            sizes,
            true,
        ),
        (
            Chart {
                title: "requests/s against server connections",
                ticks: ticks(&connections),
                height: Height::Count,
                x_word: &count_word,
            },
            connections,
            true,
        ),
        (
            Chart {
                title: "response time by percentile",
                ticks: Ticks::Whole,
                height: Height::Time,
                x_word: &percentile_word,
            },
            curves,
            false,
        ),
    ];
    let drawn = drawn.into_iter().filter(|(_, lines, _)| lines.iter().any(|line| !line.points.is_empty()));
    let drawn = drawn.enumerate().map(|(at, (chart, lines, marked))| {
        let lines: Vec<_> = lines.iter().map(|line| line.line(marked)).collect();
        chart.draw(HEIGHT * at as f64, &lines)
    });
    chart::svg(&drawn.collect::<Vec<_>>())
}

/// Where there are points.
fn ticks(lines: &[Points]) -> Ticks {
    let mut places: Vec<f64> = lines.iter().flat_map(|line| &line.points).map(|(x, _)| *x).collect();
    places.sort_by(f64::total_cmp);
    // Words that stand nearer to each other cannot be read.
    let (low, high) = (places.first().copied().unwrap_or(0.0), places.last().copied().unwrap_or(0.0));
    places.dedup_by(|b, a| *b - *a < (high - low) / 40.0);
    Ticks::At(places)
}

/// The measured pools of a mode, by size.
fn pools<'a>(report: &'a Report<'_>, wanted: BenchMode) -> impl Iterator<Item = (usize, &'a Cell)> {
    report.measured().filter_map(move |cell| match cell.setting {
        Setting::Pool { mode, size } if mode == wanted => Some((size, cell)),
        _ => None,
    })
}

fn modes(report: &Report<'_>) -> Vec<(BenchMode, &'static str)> {
    let all = [BenchMode::Transaction, BenchMode::Session].into_iter().zip(COLOURS);
    all.filter(|(mode, _)| pools(report, *mode).next().is_some()).collect()
}

const DIRECT_COLOUR: &str = COLOURS[6];

fn by_size(report: &Report<'_>) -> Vec<Points> {
    let mut lines = Vec::new();
    for (mode, colour) in modes(report) {
        for (phase, name, dashed) in [("response", "", false), ("queue", " queue", true)] {
            let points = pools(report, mode)
                .filter_map(|(size, cell)| Some((place(size as f64), cell.percentile(phase, 0.99)? as f64)));
            lines.push(Points { name: format!("{}{name}", mode.name()), colour, dashed, points: points.collect() });
        }
    }
    let ends = lines.iter().flat_map(|line| &line.points).map(|(x, _)| *x);
    let ends = ends.fold(None, |ends: Option<(f64, f64)>, x| Some(ends.map_or((x, x), |(a, b)| (a.min(x), b.max(x)))));
    let direct = report.measured().find(|cell| cell.setting == Setting::Direct);
    let direct = direct.and_then(|cell| cell.percentile("response", 0.99));
    if let (Some((low, high)), Some(p99)) = (ends, direct) {
        let points = vec![(low, p99 as f64), (high, p99 as f64)];
        lines.push(Points { name: "direct".to_owned(), colour: DIRECT_COLOUR, dashed: false, points });
    }
    lines
}

fn by_connections(report: &Report<'_>) -> Vec<Points> {
    let point = |cell: &Cell| {
        let connections = cell.most(|run| Some(run.connections as u64))?;
        Some((place(connections as f64), cell.median(|run| Some(run.throughput()))?))
    };
    let of_mode = |(mode, colour): (BenchMode, &'static str)| {
        let points = pools(report, mode).filter_map(|(_, cell)| point(cell)).collect();
        Points { name: mode.name().to_owned(), colour, dashed: false, points }
    };
    let mut lines: Vec<_> = modes(report).into_iter().map(of_mode).collect();
    if let Some(cell) = report.measured().find(|cell| cell.setting == Setting::Direct) {
        let points = point(cell).into_iter().collect();
        lines.push(Points { name: "direct".to_owned(), colour: DIRECT_COLOUR, dashed: false, points });
    }
    lines
}

fn by_percentile(report: &Report<'_>) -> Vec<Points> {
    let line = |(at, cell): (usize, &Cell)| {
        let whole = cell.whole("response").filter(|whole| !whole.is_empty())?;
        let (colour, dashed) = match cell.setting {
            Setting::Direct => (DIRECT_COLOUR, false),
            // Six colours beside direct's; then the same again, dashed.
            Setting::Pool { .. } => (COLOURS[(at - 1) % 6], (at - 1) / 6 % 2 == 1),
        };
        Some(Points { name: cell.name(), colour, dashed, points: curve(&whole) })
    };
    report.cells.iter().enumerate().filter_map(line).collect()
}

fn settings_table(report: &Report<'_>) -> String {
    let mut head = "<th>setting</th><th>requests/s</th><th>(min-max)</th>".to_owned();
    QUANTILES.iter().for_each(|(name, _)| head += &format!("<th>{name}</th>"));
    head += "<th>queue p99</th><th>server connections</th><th>.. by its own count</th><th>errors</th>\
             <th>server CPU</th><th>tidegate CPU</th><th>clients' CPU</th>";
    let rows: String = report.measured().map(|cell| settings_row(cell, report)).collect();
    format!("<h2>Settings</h2>\n<table>\n<tr>{head}</tr>\n{rows}</table>\n<p>CPU in cores.</p>\n")
}

fn settings_row(cell: &Cell, report: &Report<'_>) -> String {
    let class = if report.advice.choice == Some(cell.setting) { " class=\"chosen\"" } else { "" };
    let throughputs = cell.throughputs();
    let (low, high) = throughputs.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), t| (low.min(*t), high.max(*t)));
    let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let cores = |cores: Option<f64>| cores.map_or_else(|| "-".to_owned(), |cores| format!("{cores:.2}"));
    let mut data = vec![
        cell.name(),
        format!("{:.0}", cell.median(|run| Some(run.throughput())).unwrap_or(0.0)),
        format!("{low:.0}-{high:.0}"),
    ];
    data.extend(QUANTILES.map(|(_, quantile)| time(cell.percentile("response", quantile))));
    data.push(time(cell.percentile("queue", 0.99)));
    data.push(count(cell.most(|run| Some(run.connections as u64))));
    data.push(count(cell.most(|run| run.server_saw)));
    data.push(cell.errors().to_string());
    data.push(cores(cell.median(|run| Some(run.cpu.server?.as_secs_f64() / run.seconds))));
    data.push(cores(cell.median(|run| Some(run.cpu.tidegate?.as_secs_f64() / run.seconds))));
    data.push(cores(cell.median(|run| Some(run.cpu.clients?.as_secs_f64() / run.seconds))));
    let data: String = data.iter().map(|datum| format!("<td>{}</td>", escaped(datum))).collect();
    format!("<tr{class}>{data}</tr>\n")
}

fn errors(report: &Report<'_>) -> String {
    let mut items = String::new();
    for cell in report.measured() {
        for (count, error) in cell.error_texts() {
            // Writing to a String cannot fail.
            let _ = writeln!(items, "<li>{}: {count} x {}</li>", escaped(&cell.name()), escaped(&error));
        }
    }
    if items.is_empty() { String::new() } else { format!("<h2>Errors</h2>\n<ul>\n{items}</ul>\n") }
}

fn phases_table(report: &Report<'_>) -> String {
    let head: String = QUANTILES.iter().map(|(name, _)| format!("<th>{name}</th>")).collect();
    let mut rows = String::new();
    for cell in report.measured() {
        for phase in cell.phases() {
            let data = QUANTILES.map(|(_, quantile)| format!("<td>{}</td>", time(cell.percentile(phase, quantile))));
            let count = cell.whole(phase).map_or(0, |whole| whole.len());
            let _ =
                writeln!(rows, "<tr><td>{}</td><td>{phase}</td><td>{count}</td>{}</tr>", cell.name(), data.concat());
        }
    }
    let meanings: String =
        PHASES.iter().map(|(phase, about)| format!("<li><b>{phase}</b>: {}</li>\n", escaped(about))).collect();
    format!(
        "<h2>Where the time goes</h2>\n<table>\n<tr><th>setting</th><th>phase</th><th>count</th>{head}</tr>\n{rows}</table>\n\
         <ul>\n{meanings}</ul>\n"
    )
}

fn how(report: &Report<'_>) -> String {
    let dumps = report.plan.outputs.hlog.as_ref().map(|folder| {
        let folder = escaped(&folder.display().to_string());
        format!("<p>Histogram dumps: <code>tidegate hist show {folder}/NAME.hlog</code>, <code>hist diff</code> compares two.</p>\n")
    });
    format!(
        "<h2>How it was measured</h2>\n<p>{}</p>\n<p>{}; server {}; tidegate {}; {}. Clients, tidegate and a local server share \
         this machine.</p>\n{}",
        escaped(&report.method()),
        escaped(&report.place.machine),
        escaped(&report.place.server),
        env!("CARGO_PKG_VERSION"),
        utc_seconds(report.place.began),
        dumps.unwrap_or_default(),
    )
}

fn time(nanos: Option<u64>) -> String {
    nanos.map_or_else(|| "-".to_owned(), short)
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::with_report;
    use super::*;

    #[test]
    fn it_holds_every_cell_and_needs_no_other_file() {
        let page = with_report(page);
        for name in ["<td>direct</td>", "<td>transaction 5</td>", "<td>transaction 10</td>"] {
            assert!(page.contains(name), "{name}");
        }
        for part in ["class=\"chosen\"><td>transaction 5<", "a&lt;b&gt;.sql", "Take 5 connections", "2 cores"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        for foreign in ["href=", "src=", "@import", "url(", "<script", "NaN", "inf\"", "a<b>"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        // Response, queue and direct by size; transaction and direct by connections; three curves.
        assert_eq!(page.matches("<polyline").count(), 3 + 2 + 3);
    }
}
