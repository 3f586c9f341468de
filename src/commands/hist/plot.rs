//! `hist plot`: the percentile curve on a log scale, and the latency over time, as SVG.

use std::path::Path;

use hdrhistogram::Histogram;

use super::series::{Series, shown};
use crate::commands::chart::{self, COLOURS, Chart, HEIGHT, Height, Line, Ticks, escaped, trimmed};
use crate::stats::hlog::read::Log;

/// The page for `output`, whose name says which form.
pub(super) fn page(output: &Path, names: &[String], logs: &[Log], tag: Option<&str>) -> anyhow::Result<String> {
    let plots = names.iter().zip(logs).map(|(name, log)| Plot::of(name, log, tag)).collect::<Result<Vec<_>, _>>()?;
    let svg = svg(&plots, shown(tag));
    match output.extension().and_then(|e| e.to_str()) {
        Some("svg") => Ok(svg),
        Some("html") => Ok(format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>tidegate: {}</title></head>\n<body>\n{svg}</body>\n</html>\n",
            escaped(shown(tag))
        )),
        _ => anyhow::bail!("{}: the name must end in .svg or .html", output.display()),
    }
}

/// What is drawn of one file: points in the data's own units.
struct Plot<'a> {
    name: &'a str,
    /// log10(1 / (1 - quantile)) and nanoseconds.
    curve: Vec<(f64, f64)>,
    /// Seconds since 1970 and nanoseconds.
    p50: Vec<(f64, f64)>,
    p99: Vec<(f64, f64)>,
}

impl<'a> Plot<'a> {
    fn of(name: &'a str, log: &Log, tag: Option<&str>) -> anyhow::Result<Self> {
        let series = Series::of(std::slice::from_ref(log));
        let whole = series.by_tag.get(&tag.map(str::to_owned)).filter(|h| !h.is_empty());
        let Some(whole) = whole else { anyhow::bail!("{name}: no values with the tag {}", shown(tag)) };
        Ok(Plot { name, curve: curve(whole), p50: over_time(log, tag, 0.5), p99: over_time(log, tag, 0.99) })
    }
}

/// A histogram's values by percentile: log10(1 / (1 - quantile)) and nanoseconds.
pub(in crate::commands) fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let nines = (histogram.len().max(2) as f64).log10();
    let steps = 200;
    let at = |step: i32| {
        let x = nines * f64::from(step) / f64::from(steps);
        (x, histogram.value_at_quantile(1.0 - 10_f64.powf(-x)) as f64)
    };
    (0..=steps).map(at).collect()
}

/// Two points per interval, so that one interval is a line too.
fn over_time(log: &Log, tag: Option<&str>, quantile: f64) -> Vec<(f64, f64)> {
    let of_tag = log.intervals.iter().filter(|i| i.tag.as_deref() == tag && !i.histogram.is_empty());
    of_tag
        .flat_map(|i| {
            let value = i.histogram.value_at_quantile(quantile) as f64;
            [(i.start.as_secs_f64(), value), ((i.start + i.length).as_secs_f64(), value)]
        })
        .collect()
}

/// A percentile on [`curve`]'s x axis, in words.
pub(in crate::commands) fn percentile_word(x: f64) -> String {
    format!("{}%", trimmed(100.0 * (1.0 - 10_f64.powf(-x))))
}

fn svg(plots: &[Plot<'_>], title: &str) -> String {
    let curves: Vec<Line<'_>> = lines(plots, |plot| vec![(plot.name.to_owned(), false, &plot.curve[..])]);
    let times: Vec<Line<'_>> = lines(plots, |plot| {
        vec![(format!("{} p50", plot.name), true, &plot.p50[..]), (format!("{} p99", plot.name), false, &plot.p99[..])]
    });
    let start = times.iter().flat_map(|l| l.points).map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let seconds = move |x: f64| format!("{:.0}s", x - start);
    let by_percentile = Chart {
        title: &format!("{title}: latency by percentile"),
        ticks: Ticks::Whole,
        height: Height::Time,
        x_word: &percentile_word,
    };
    let over_time = Chart {
        title: &format!("{title}: latency over time"),
        ticks: Ticks::Five,
        height: Height::Time,
        x_word: &seconds,
    };
    chart::svg(&[by_percentile.draw(0.0, &curves), over_time.draw(HEIGHT, &times)])
}

type Part<'a> = (String, bool, &'a [(f64, f64)]);

fn lines<'a>(plots: &'a [Plot<'a>], parts: impl Fn(&'a Plot<'a>) -> Vec<Part<'a>>) -> Vec<Line<'a>> {
    let of = |(i, plot): (usize, &'a Plot<'a>)| {
        let colour = COLOURS[i % COLOURS.len()];
        parts(plot).into_iter().map(move |(name, dashed, points)| Line { name, colour, dashed, marked: false, points })
    };
    plots.iter().enumerate().flat_map(of).collect()
}
