//! `hist plot`: the percentile curve on a log scale, and the latency over time, as SVG.

use std::fmt::Write;
use std::path::Path;

use hdrhistogram::Histogram;

use super::series::{Series, shown};
use crate::stats::hlog::read::Log;
use crate::stats::hlog::table::short;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 380.0;
/// Room for the axes' words.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 40.0;
/// One per file, told apart by the colour-blind too (Okabe and Ito's palette).
const COLOURS: [&str; 7] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
/// Times below this are drawn as this: a log scale has no zero.
const MIN_NANOS: f64 = 1_000.0;

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

/// One line of a chart whose x axis has numbers and whose y axis has nanoseconds.
pub(in crate::commands) struct Curve {
    pub name: String,
    pub dashed: bool,
    pub points: Vec<(f64, f64)>,
}

/// Charts, one below the other.
pub(in crate::commands) fn curves(charts: &[(&str, Vec<Curve>)]) -> String {
    let number = |x: f64| format!("{x:.0}");
    let mut all = String::new();
    for (at, (title, curves)) in charts.iter().enumerate() {
        let lines: Vec<Line<'_>> = (0..)
            .zip(curves)
            .map(|(i, Curve { name, dashed, points }): (usize, &Curve)| Line {
                name: name.clone(),
                // Two of a kind: a dashed one and a full one.
                colour: COLOURS[i / 2 % COLOURS.len()],
                dashed: *dashed,
                points,
            })
            .collect();
        all += &chart(title, at as f64 * HEIGHT, &lines, Ticks::Five, &number);
    }
    svg_of(charts.len() as f64 * HEIGHT, &all)
}

fn svg_of(height: f64, inside: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\">\n{inside}</svg>\n"
    )
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

fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
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

fn svg(plots: &[Plot<'_>], title: &str) -> String {
    let curves: Vec<Line<'_>> = lines(plots, |plot| vec![(plot.name.to_owned(), false, &plot.curve[..])]);
    let times: Vec<Line<'_>> = lines(plots, |plot| {
        vec![(format!("{} p50", plot.name), true, &plot.p50[..]), (format!("{} p99", plot.name), false, &plot.p99[..])]
    });
    let start = times.iter().flat_map(|l| l.points).map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let percentile = |x: f64| format!("{}%", trimmed(100.0 * (1.0 - 10_f64.powf(-x))));
    let seconds = move |x: f64| format!("{:.0}s", x - start);
    let by_percentile = chart(&format!("{title}: latency by percentile"), 0.0, &curves, Ticks::Whole, &percentile);
    let over_time = chart(&format!("{title}: latency over time"), HEIGHT, &times, Ticks::Five, &seconds);
    svg_of(2.0 * HEIGHT, &(by_percentile + &over_time))
}

struct Line<'a> {
    name: String,
    colour: &'static str,
    dashed: bool,
    points: &'a [(f64, f64)],
}

type Part<'a> = (String, bool, &'a [(f64, f64)]);

fn lines<'a>(plots: &'a [Plot<'a>], parts: impl Fn(&'a Plot<'a>) -> Vec<Part<'a>>) -> Vec<Line<'a>> {
    let of = |(i, plot): (usize, &'a Plot<'a>)| {
        let colour = COLOURS[i % COLOURS.len()];
        parts(plot).into_iter().map(move |(name, dashed, points)| Line { name, colour, dashed, points })
    };
    plots.iter().enumerate().flat_map(of).collect()
}

/// Where the x axis is marked.
enum Ticks {
    /// At whole numbers.
    Whole,
    /// At five even steps.
    Five,
}

/// From data to the picture: x is even, y is logarithmic.
struct Scale {
    x: (f64, f64),
    y: (f64, f64),
    top: f64,
}

impl Scale {
    fn of(lines: &[Line<'_>], top: f64) -> Self {
        let points = || lines.iter().flat_map(|line| line.points);
        let x = bounds(points().map(|(x, _)| *x));
        let (low, high) = bounds(points().map(|(_, y)| y.max(MIN_NANOS).log10()));
        Scale { x: (x.0, x.1.max(x.0 + 1e-3)), y: (low.floor(), high.ceil().max(low.floor() + 1.0)), top }
    }

    fn x(&self, x: f64) -> f64 {
        LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, nanos: f64) -> f64 {
        let share = (nanos.max(MIN_NANOS).log10() - self.y.0) / (self.y.1 - self.y.0);
        self.top + HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    fn x_ticks(&self, ticks: &Ticks) -> Vec<f64> {
        match ticks {
            Ticks::Whole => (self.x.0.ceil() as i32..=self.x.1.floor() as i32).map(f64::from).collect(),
            Ticks::Five => (0..=5).map(|i| self.x.0 + (self.x.1 - self.x.0) * f64::from(i) / 5.0).collect(),
        }
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

fn chart(title: &str, top: f64, lines: &[Line<'_>], ticks: Ticks, x_word: &dyn Fn(f64) -> String) -> String {
    let scale = Scale::of(lines, top);
    let mut out = text(LEFT, top + 18.0, "start", title);
    for decade in scale.y.0 as i32..=scale.y.1 as i32 {
        let nanos = 10_f64.powi(decade);
        out += &rule(LEFT, scale.y(nanos), WIDTH - RIGHT, scale.y(nanos));
        out += &text(LEFT - 6.0, scale.y(nanos) + 4.0, "end", &short(nanos as u64));
    }
    for x in scale.x_ticks(&ticks) {
        out += &rule(scale.x(x), top + TOP, scale.x(x), top + HEIGHT - BOTTOM);
        out += &text(scale.x(x), top + HEIGHT - BOTTOM + 16.0, "middle", &x_word(x));
    }
    for (i, line) in lines.iter().enumerate() {
        out += &polyline(&scale, line);
        out += &legend(top, i, lines.len(), line);
    }
    out
}

fn polyline(scale: &Scale, line: &Line<'_>) -> String {
    let mut points = String::new();
    for (x, y) in line.points {
        // Writing to a String cannot fail.
        let _ = write!(points, "{:.1},{:.1} ", scale.x(*x), scale.y(*y));
    }
    let dash = if line.dashed { " stroke-dasharray=\"4 3\"" } else { "" };
    format!(
        "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"{dash} points=\"{}\"/>\n",
        line.colour,
        points.trim_end()
    )
}

fn legend(top: f64, i: usize, of: usize, line: &Line<'_>) -> String {
    let x = LEFT + (WIDTH - LEFT - RIGHT) / of as f64 * i as f64;
    let dashed = if line.dashed { " (dashed)" } else { "" };
    format!(
        "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{}\">{}{dashed}</text>\n",
        top + 36.0,
        line.colour,
        escaped(&line.name)
    )
}

fn rule(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>\n")
}

fn text(x: f64, y: f64, anchor: &str, words: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>\n", escaped(words))
}

pub(in crate::commands) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `99.9`, not `99.90000`.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
