//! Line charts as SVG, for reports that need no other file. Pure.

use std::fmt::Write;

use crate::stats::hlog::table::short;

/// A chart's width, in pixels.
pub(super) const WIDTH: f64 = 900.0;
/// A chart's height, in pixels.
pub(super) const HEIGHT: f64 = 380.0;
/// Room for the axes' words.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 40.0;
/// Told apart by the colour-blind too (Okabe and Ito's palette).
pub(super) const COLOURS: [&str; 7] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
/// Times below this are drawn as this: a log scale has no zero.
const MIN_NANOS: f64 = 1_000.0;

/// One line of a chart; points in the data's own units.
pub(super) struct Line<'a> {
    pub name: String,
    pub colour: &'static str,
    pub dashed: bool,
    /// Each point is marked: there are few.
    pub marked: bool,
    pub points: &'a [(f64, f64)],
}

/// Where the x axis is marked.
pub(super) enum Ticks {
    /// At whole numbers.
    Whole,
    /// At five even steps.
    Five,
    /// There.
    At(Vec<f64>),
}

/// What the y axis shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Height {
    /// Nanoseconds, on a log scale.
    Time,
    /// A number from zero on, evenly.
    Count,
}

/// A chart without its data.
pub(super) struct Chart<'a> {
    pub title: &'a str,
    pub ticks: Ticks,
    pub height: Height,
    /// What is written at a mark of the x axis.
    pub x_word: &'a dyn Fn(f64) -> String,
}

/// Charts below each other as one SVG element.
pub(super) fn svg(charts: &[String]) -> String {
    let height = HEIGHT * charts.len() as f64;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\">\n{}</svg>\n",
        charts.concat()
    )
}

/// For text and attributes of HTML and SVG.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Chart<'_> {
    /// The chart with its upper edge at `top`.
    pub(super) fn draw(&self, top: f64, lines: &[Line<'_>]) -> String {
        let scale = Scale::of(lines, self.height, top);
        let mut out = text(LEFT, top + 18.0, "start", self.title);
        for (y, word) in scale.y_ticks() {
            out += &rule(LEFT, scale.y(y), WIDTH - RIGHT, scale.y(y));
            out += &text(LEFT - 6.0, scale.y(y) + 4.0, "end", &word);
        }
        for x in scale.x_ticks(&self.ticks) {
            out += &rule(scale.x(x), top + TOP, scale.x(x), top + HEIGHT - BOTTOM);
            out += &text(scale.x(x), top + HEIGHT - BOTTOM + 16.0, "middle", &(self.x_word)(x));
        }
        for (i, line) in lines.iter().enumerate() {
            out += &polyline(&scale, line);
            out += &legend(top, i, lines.len(), line);
        }
        out
    }
}

/// From data to the picture: x is even, y as [`Height`] says.
struct Scale {
    x: (f64, f64),
    y: (f64, f64),
    height: Height,
    top: f64,
}

impl Scale {
    fn of(lines: &[Line<'_>], height: Height, top: f64) -> Self {
        let points = || lines.iter().flat_map(|line| line.points);
        let x = bounds(points().map(|(x, _)| *x));
        let (low, high) = bounds(points().map(|(_, y)| height.value(*y)));
        let y = match height {
            Height::Time => (low.floor(), high.ceil().max(low.floor() + 1.0)),
            Height::Count => (0.0, rounded_up(high)),
        };
        Scale { x: (x.0, x.1.max(x.0 + 1e-3)), y, height, top }
    }

    fn x(&self, x: f64) -> f64 {
        LEFT + (x - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, y: f64) -> f64 {
        let share = (self.height.value(y) - self.y.0) / (self.y.1 - self.y.0);
        self.top + HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    fn x_ticks(&self, ticks: &Ticks) -> Vec<f64> {
        match ticks {
            Ticks::Whole => (self.x.0.ceil() as i32..=self.x.1.floor() as i32).map(f64::from).collect(),
            Ticks::Five => (0..=5).map(|i| self.x.0 + (self.x.1 - self.x.0) * f64::from(i) / 5.0).collect(),
            Ticks::At(places) => places.clone(),
        }
    }

    /// Where the y axis is marked, and what is written there.
    fn y_ticks(&self) -> Vec<(f64, String)> {
        match self.height {
            Height::Time => {
                let decades = self.y.0 as i32..=self.y.1 as i32;
                decades.map(|decade| 10_f64.powi(decade)).map(|nanos| (nanos, short(nanos as u64))).collect()
            }
            Height::Count => {
                let steps = (0..=4).map(|step| self.y.1 * f64::from(step) / 4.0);
                steps.map(|count| (count, trimmed(count))).collect()
            }
        }
    }
}

impl Height {
    /// On this scale.
    fn value(self, y: f64) -> f64 {
        match self {
            Height::Time => y.max(MIN_NANOS).log10(),
            Height::Count => y,
        }
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

/// 1, 2, 4, 5 or 8 with zeros behind, whichever is next above.
fn rounded_up(count: f64) -> f64 {
    let decade = 10_f64.powf(count.max(1.0).log10().floor());
    let step = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0].into_iter().find(|step| step * decade >= count);
    step.unwrap_or(10.0) * decade
}

fn polyline(scale: &Scale, line: &Line<'_>) -> String {
    let (mut points, mut marks) = (String::new(), String::new());
    for (x, y) in line.points {
        // Writing to a String cannot fail.
        let _ = write!(points, "{:.1},{:.1} ", scale.x(*x), scale.y(*y));
        if line.marked {
            let (x, y) = (scale.x(*x), scale.y(*y));
            let _ = writeln!(marks, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{}\"/>", line.colour);
        }
    }
    let dash = if line.dashed { " stroke-dasharray=\"4 3\"" } else { "" };
    format!(
        "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"{dash} points=\"{}\"/>\n{marks}",
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

/// `99.9`, not `99.90000`.
pub(super) fn trimmed(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(height: Height, ticks: Ticks, points: &[(f64, f64)]) -> String {
        let line = Line { name: "a<b".into(), colour: COLOURS[0], dashed: false, marked: true, points };
        Chart { title: "t & u", ticks, height, x_word: &|x| format!("x{x}") }.draw(0.0, &[line])
    }

    #[test]
    fn a_count_begins_at_zero_and_ends_at_a_round_number() {
        let chart = drawn(Height::Count, Ticks::At(vec![1.0, 3.0]), &[(1.0, 37.0), (3.0, 310.0)]);
        for part in [">0<", ">100<", ">400<", ">x1<", ">x3<", "a&lt;b", "t &amp; u"] {
            assert!(chart.contains(part), "{part}: {chart}");
        }
        assert_eq!((chart.matches("<circle").count(), chart.matches("<polyline").count()), (2, 1));
    }

    #[test]
    fn times_stand_on_decades_and_nothing_is_off_the_scale() {
        let chart = drawn(Height::Time, Ticks::Five, &[(0.0, 0.0), (1.0, 2e9)]);
        for part in [">1.00us<", ">1.00ms<", ">10.0s<"] {
            assert!(chart.contains(part), "{part}: {chart}");
        }
        assert!(!chart.contains("NaN") && !chart.contains("inf"), "{chart}");
    }

    #[test]
    fn one_point_is_a_chart_too() {
        for height in [Height::Time, Height::Count] {
            let chart = drawn(height, Ticks::At(vec![5.0]), &[(5.0, 0.0)]);
            assert!(!chart.contains("NaN") && !chart.contains("inf"), "{chart}");
        }
    }

    #[test]
    fn round_numbers_are_next_above() {
        let of = [0.0, 1.0, 3.0, 37.0, 50.0, 810.0].map(rounded_up);
        assert_eq!(of, [1.0, 1.0, 4.0, 40.0, 50.0, 1_000.0]);
    }
}
