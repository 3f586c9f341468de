//! How far the sweep is, on standard error: a bar with the time left on a terminal, else a line for each run.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shown while the sweep goes on.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    runs: usize,
    done: usize,
    each: Duration,
}

impl Progress {
    /// So many runs, which take about so long each.
    pub fn new(runs: usize, each: Duration) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| bar(runs));
        Progress { bar, runs, done: 0, each }
    }

    /// A run begins.
    pub fn begin(&self, name: &str, round: usize) {
        let left = format!("{name}, round {round}, {} left", minutes(self.left()));
        match &self.bar {
            Some(bar) => bar.set_message(left),
            None => eprintln!("{}/{} {left}", self.done + 1, self.runs),
        }
    }

    /// A run is over, and what it showed.
    pub fn end(&mut self, took: Duration, shown: &str) {
        // What runs really take, with their beginnings and ends, shows soon.
        self.each = (self.each * self.done as u32 + took) / (self.done as u32 + 1);
        self.done += 1;
        match &self.bar {
            Some(bar) => {
                bar.println(shown);
                bar.inc(1);
            }
            None => eprintln!("    {shown}"),
        }
    }

    /// Nothing follows.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn left(&self) -> Duration {
        self.each * (self.runs - self.done) as u32
    }
}

fn bar(runs: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(runs as u64), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("[{bar:30}] {pos}/{len} {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
}

/// `2m10s`
fn minutes(duration: Duration) -> String {
    match duration.as_secs_f64().round() as u64 {
        seconds if seconds < 60 => format!("{seconds}s"),
        seconds => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_what_runs_take() {
        let mut progress = Progress { bar: None, runs: 4, done: 0, each: Duration::from_secs(10) };
        assert_eq!(minutes(progress.left()), "40s");
        progress.end(Duration::from_secs(30), "");
        assert_eq!(minutes(progress.left()), "1m30s");
    }
}
