//! `tidegate hist`: works on histogram dumps (.hlog).

mod diff;
mod merge;
pub(super) mod plot;
mod series;
mod show;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use self::series::Series;
use crate::stats::hlog::read::{self, Log};

/// `tidegate hist ..`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct HistArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: HistCommand,
}

/// What `tidegate hist` can do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum HistCommand {
    /// Percentiles by phase, label and digest, and the spread of the total
    Show(ShowArgs),
    /// Compare two dumps percentile by percentile, and say which differences are more than noise
    Diff(DiffArgs),
    /// Put dumps together into one
    Merge(MergeArgs),
    /// Draw the percentile curve and the latency over time (.svg, or .html)
    Plot(PlotArgs),
}

/// `hist show`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ShowArgs {
    /// Histogram dumps; several are added up
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Only histograms whose tag holds this text (such as `digest=` or `user=app`)
    #[arg(long, value_name = "TEXT")]
    pub tag: Option<String>,
    /// The most pools, the most labels, and the most digests, that are shown
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

/// `hist diff`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DiffArgs {
    /// The dump to compare with
    pub before: PathBuf,
    /// The dump that is judged
    pub after: PathBuf,
    /// Only histograms whose tag holds this text
    #[arg(long, value_name = "TEXT")]
    pub tag: Option<String>,
}

/// `hist merge`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct MergeArgs {
    /// Histogram dumps
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Where to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `hist plot`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct PlotArgs {
    /// Histogram dumps; each has a curve of its own
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Where to write: a name that ends in .svg or .html
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The histogram to draw; without it the total
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
}

/// Runs the command; its exit code: 0 done, 2 a file cannot be read or written.
pub fn run(args: &HistArgs) -> u8 {
    match execute(args, &mut io::stdout().lock()) {
        Ok(()) => 0,
        // The reader had enough: `tidegate hist show x | head`.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) => 0,
        Err(error) => {
            eprintln!("tidegate hist: {error:#}");
            2
        }
    }
}

fn execute(args: &HistArgs, out: &mut impl Write) -> anyhow::Result<()> {
    match &args.command {
        HistCommand::Show(args) => {
            let series = Series::of(&load_all(&args.files)?);
            out.write_all(show::text(&series, args.tag.as_deref(), args.limit).as_bytes())?;
        }
        HistCommand::Diff(args) => {
            let (before, after) = (Series::of(&[load(&args.before)?]), Series::of(&[load(&args.after)?]));
            out.write_all(diff::text(&before, &after, args.tag.as_deref()).as_bytes())?;
        }
        HistCommand::Merge(args) => {
            let series = Series::of(&load_all(&args.files)?);
            write(&args.output, &merge::encode(&series)?)?;
        }
        HistCommand::Plot(args) => {
            let logs = load_all(&args.files)?;
            let names: Vec<String> = args.files.iter().map(|f| f.display().to_string()).collect();
            write(&args.output, plot::page(&args.output, &names, &logs, args.tag.as_deref())?.as_bytes())?;
        }
    }
    Ok(())
}

fn load_all(files: &[PathBuf]) -> anyhow::Result<Vec<Log>> {
    files.iter().map(|file| load(file)).collect()
}

fn load(file: &Path) -> anyhow::Result<Log> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let log = read::parse(&text).with_context(|| file.display().to_string())?;
    anyhow::ensure!(!log.intervals.is_empty(), "{}: holds no histogram", file.display());
    Ok(log)
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(file, bytes).with_context(|| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;
    use crate::stats::hlog::{Span, dump};
    use crate::stats::record::{Identity, Outcome, Phases, QueryRecord};
    use crate::stats::recorder::{RecorderSettings, Recorders};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        hist: HistArgs,
    }

    fn hist(args: &[&str]) -> anyhow::Result<String> {
        let cli = Cli::try_parse_from([&["hist"], args].concat())?;
        let mut out = Vec::new();
        execute(&cli.hist, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    /// Writes a dump of `n` statements that take from 1 to 2 ms, times `factor`, but for the slowest one in a hundred.
    fn write_dump(file: &Path, n: u64, factor: u64) {
        let recorders = Recorders::new(1, RecorderSettings::for_workers(1, |_| "select ?".into()));
        let identity = Identity { client_id: 1, user: "app".into(), host: String::new() };
        for i in 0..n {
            let micros = match i % 100 {
                99 => 50_000,
                _ => (1_000 + i * 7_919 % 1_000) * factor / 100,
            };
            let total = Duration::from_micros(micros);
            recorders.of_worker(0).record(&QueryRecord {
                identity: &identity,
                schema: "shop",
                command: 3,
                sql: b"SELECT 1",
                sql_len: 8,
                digest: 0xAB,
                phases: Phases { total, server: total, ..Phases::default() },
                ended_at: Duration::from_secs(1_000),
                rows_sent: 1,
                rows_affected: 0,
                last_insert_id: 0,
                bytes_in: 1,
                bytes_out: 1,
                status: 0,
                warnings: 0,
                outcome: Outcome::Ok,
                backend_id: 1,
                pin_reason: "",
                execution: None,
            });
        }
        dump(file, &recorders.snapshot(), Span { start: Duration::from_secs(990), length: Duration::from_secs(10) })
            .unwrap();
    }

    struct Dumps {
        _dir: tempfile::TempDir,
        a: String,
        b: String,
        out: String,
    }

    fn dumps(a: (u64, u64), b: (u64, u64), out: &str) -> Dumps {
        let dir = tempfile::tempdir().unwrap();
        let name = |file: &str| dir.path().join(file).to_str().unwrap().to_owned();
        let dumps = Dumps { a: name("a.hlog"), b: name("b.hlog"), out: name(out), _dir: dir };
        write_dump(Path::new(&dumps.a), a.0, a.1);
        write_dump(Path::new(&dumps.b), b.0, b.1);
        dumps
    }

    #[test]
    fn show_adds_files_up() {
        let d = dumps((1_000, 100), (500, 100), "x");
        let text = hist(&["show", &d.a, &d.b]).unwrap();
        let row = text.lines().find(|l| l.starts_with("total ")).unwrap();
        assert_eq!(row.split_whitespace().nth(1), Some("1500"), "{text}");
        assert!(text.contains("digest=00000000000000ab") && text.contains("select ?"), "{text}");
        assert!(text.contains("user=app;schema=shop"), "{text}");
        let only = hist(&["show", &d.a, "--tag", "digest="]).unwrap();
        assert!(!only.contains("user=app") && only.contains("digest="), "{only}");
    }

    #[test]
    fn diff_tells_a_change_from_noise() {
        let d = dumps((20_000, 100), (20_000, 150), "x");
        let verdicts = |text: &str, percentile: &str| {
            let line =
                text.lines().find(|l| l.starts_with("total ") && l.contains(&format!(" {percentile} "))).unwrap();
            line.split_whitespace().last().unwrap().to_owned()
        };
        let slower = hist(&["diff", &d.a, &d.b]).unwrap();
        assert_eq!(
            (verdicts(&slower, "p50"), verdicts(&slower, "p99.9")),
            ("slower".into(), "noise".into()),
            "{slower}"
        );
        assert!(slower.contains("+50"), "{slower}");
        assert!(!slower.contains("phase=queue"), "nobody ever waited: {slower}");
        let faster = hist(&["diff", &d.b, &d.a]).unwrap();
        assert_eq!(verdicts(&faster, "p50"), "faster");
        let same = hist(&["diff", &d.a, &d.a]).unwrap();
        assert_eq!(verdicts(&same, "p50"), "noise");
        let few = dumps((30, 100), (30, 100), "x");
        assert!(hist(&["diff", &few.a, &few.b]).unwrap().contains("too few"));
    }

    #[test]
    fn merge_makes_one_dump() {
        let d = dumps((1_000, 100), (500, 300), "merged.hlog");
        hist(&["merge", &d.a, &d.b, "--output", &d.out]).unwrap();
        let both = hist(&["show", &d.a, &d.b]).unwrap();
        assert_eq!(hist(&["show", &d.out]).unwrap(), both);
        let log = load(Path::new(&d.out)).unwrap();
        assert!(log.intervals.iter().all(|i| i.start.as_secs() == 990 && i.length.as_secs() == 10));
    }

    #[test]
    fn plot_draws_every_file() {
        for out in ["out.svg", "out.html"] {
            let d = dumps((1_000, 100), (500, 300), out);
            hist(&["plot", &d.a, &d.b, "-o", &d.out]).unwrap();
            let page = std::fs::read_to_string(&d.out).unwrap();
            assert_eq!(page.matches("<polyline").count(), 2 + 4, "{page}");
            assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
            assert!(page.contains("a.hlog") && page.contains("b.hlog"));
        }
        let d = dumps((10, 100), (10, 100), "out.png");
        assert!(hist(&["plot", &d.a, "-o", &d.out]).unwrap_err().to_string().contains(".svg"));
        assert!(hist(&["plot", &d.a, "--tag", "no", "-o", "x.svg"]).unwrap_err().to_string().contains("tag"));
    }

    #[test]
    fn bad_files_are_named() {
        let d = dumps((10, 100), (10, 100), "x");
        assert!(hist(&["show", &d.out]).unwrap_err().to_string().contains(&d.out));
        std::fs::write(&d.out, "#\nnonsense\n").unwrap();
        let error = format!("{:#}", hist(&["show", &d.out]).unwrap_err());
        assert!(error.contains(&d.out) && error.contains("line 2"), "{error}");
        std::fs::write(&d.out, "").unwrap();
        assert!(hist(&["show", &d.out]).unwrap_err().to_string().contains("no histogram"));
    }
}
