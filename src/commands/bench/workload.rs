//! What clients ask: requests with weights, each of one or several statements. Pure.

mod template;

use std::sync::Arc;

use fastrand::Rng;

use self::template::Template;
use super::replay::Replay;
use crate::sql::lexer::{Dialect, Kind, Lexer};

/// Rows of the built-in workloads' table.
pub(super) const ROWS: u32 = 10_000;
/// The built-in workloads' table.
pub(super) const TABLE: &str = "tidegate_bench";

/// The built-in ones: name, what a report says of it, text, whether clients connect for each request.
const BUILT_IN: [(&str, &str, &str, bool); 4] = [
    ("point-select", "one row by its key", POINT_SELECT, false),
    ("read-write", "transactions of three reads and an update", READ_WRITE, false),
    ("mixed", "90 % point selects, 9 % read-write transactions, 0.5 % statements that take 100 ms", MIXED, false),
    ("connect", "connect, one row by its key, quit", POINT_SELECT, true),
];

const POINT_SELECT: &str = "SELECT c FROM tidegate_bench WHERE id = {1..10000};";

macro_rules! transaction {
    () => {
        "BEGIN;
SELECT c FROM tidegate_bench WHERE id = {1..10000};
SELECT c FROM tidegate_bench WHERE id = {1..10000};
SELECT id, c FROM tidegate_bench WHERE id >= {1..9900} ORDER BY id LIMIT 100;
UPDATE tidegate_bench SET k = k + 1 WHERE id = {1..10000};
COMMIT;
"
    };
}

const READ_WRITE: &str = concat!("-- weight 1\n", transaction!());

const MIXED: &str = concat!(
    "-- weight 181\nSELECT c FROM tidegate_bench WHERE id = {1..10000};\n-- weight 18\n",
    transaction!(),
    "-- weight 1\nSELECT SLEEP(0.1);\n"
);

/// What all clients ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Workload {
    /// Its name, or its file's.
    pub name: String,
    /// What it is, for the report.
    pub about: String,
    /// Clients connect for each request.
    pub connects: bool,
    /// It needs [`TABLE`].
    pub needs_table: bool,
    /// A trace, which says what its clients ask and when; then there are no requests.
    pub replay: Option<Arc<Replay>>,
    /// At least one, but for a trace.
    pub requests: Vec<Request>,
    total_weight: u32,
}

/// What a client asks at a time, on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    weight: u32,
    /// At least one.
    pub statements: Vec<Statement>,
}

/// One statement, and the line where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub line: usize,
    template: Template,
}

impl Statement {
    /// Puts its text behind `out`, with random numbers in their places.
    pub fn write(&self, random: &mut Rng, out: &mut Vec<u8>) {
        self.template.write(random, out);
    }
}

/// The built-in workloads' names.
pub(super) fn names() -> String {
    BUILT_IN.map(|(name, ..)| name).join(", ")
}

impl Workload {
    /// A built-in one.
    pub fn built_in(name: &str) -> Option<Workload> {
        let (name, about, text, connects) = BUILT_IN.into_iter().find(|(known, ..)| *known == name)?;
        let requests = parse(text).ok()?;
        Some(Workload { connects, needs_table: true, ..Workload::of(name, about.to_owned(), requests) })
    }

    /// Of a file's text.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub fn from_text(name: &str, text: &str) -> Result<Workload, String> {
        let requests = parse(text).map_err(|(line, what)| format!("{name}, line {line}: {what}"))?;
        let statements: usize = requests.iter().map(|request| request.statements.len()).sum();
        if requests.is_empty() {
            return Err(format!("{name}: there is no statement in it"));
        }
        let about = format!("{}, {}", counted(requests.len(), "request"), counted(statements, "statement"));
        Ok(Workload::of(name, about, requests))
    }

    fn of(name: &str, about: String, requests: Vec<Request>) -> Workload {
        let total_weight = requests.iter().map(|request| request.weight).sum();
        Workload {
            name: name.to_owned(),
            about,
            connects: false,
            needs_table: false,
            replay: None,
            requests,
            total_weight,
        }
    }

    /// A trace, by its file's name.
    pub fn of_trace(name: &str, replay: Replay) -> Workload {
        let statements: usize = replay.players.iter().map(|player| player.statements.len()).sum();
        let about = format!(
            "a trace: {} of {} in {:.1} s",
            counted(statements, "statement"),
            counted(replay.players.len(), "client"),
            replay.span().as_secs_f64()
        );
        Workload { replay: Some(Arc::new(replay)), ..Workload::of(name, about, Vec::new()) }
    }

    /// A request by chance, as often as its weight says.
    pub fn pick(&self, random: &mut Rng) -> &Request {
        let mut at = random.u32(0..self.total_weight);
        for request in &self.requests {
            match at.checked_sub(request.weight) {
                Some(left) => at = left,
                None => return request,
            }
        }
        unreachable!("the weights add up to the total")
    }
}

/// `1 request`, `2 requests`
pub(super) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// A line and what is wrong there.
type Wrong = (usize, String);

/// The most that one weight may be: so that no sum of a file's weights overflows.
const MAX_WEIGHT: u32 = 10_000;
/// The most bytes of a file; with a statement in each, the weights' sum still fits.
pub(super) const MAX_BYTES: u64 = 1 << 20;

fn parse(text: &str) -> Result<Vec<Request>, Wrong> {
    let sections = sections(text)?;
    if let [section] = &sections[..] {
        let alone = |statement| Request { weight: 1, statements: vec![statement] };
        return Ok(statements(section.text, 1)?.into_iter().map(alone).collect());
    }
    let mut requests = Vec::new();
    for section in sections {
        let statements = statements(section.text, section.line)?;
        match (section.weight, statements.first()) {
            (None, None) => {}
            (None, Some(first)) => {
                return Err((first.line, "this statement stands before the first line `-- weight N`".into()));
            }
            (Some(_), None) => return Err((section.line - 1, "no statement follows".into())),
            (Some(weight), Some(_)) => requests.push(Request { weight, statements }),
        }
    }
    Ok(requests)
}

/// What stands between two lines `-- weight N`.
struct Section<'a> {
    /// The line where it begins.
    line: usize,
    text: &'a str,
    /// `None`: it stands before the first of those lines.
    weight: Option<u32>,
}

fn sections(text: &str) -> Result<Vec<Section<'_>>, Wrong> {
    let mut sections = vec![Section { line: 1, text: "", weight: None }];
    let (mut begins, mut line_begins) = (0, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let line_ends = line_begins + line.len();
        if let Some(weight) = weight(line).map_err(|what| (number, what))? {
            sections.push(Section { line: number + 1, text: "", weight: Some(weight) });
            begins = line_ends;
        }
        if let Some(last) = sections.last_mut() {
            last.text = &text[begins..line_ends];
        }
        line_begins = line_ends;
    }
    Ok(sections)
}

/// The number in `-- weight N`; `None`: it is another line.
fn weight(line: &str) -> Result<Option<u32>, String> {
    let mut words = line.split_whitespace();
    if (words.next(), words.next()) != (Some("--"), Some("weight")) {
        return Ok(None);
    }
    let number = words.next().and_then(|word| word.parse().ok()).filter(|weight| (1..=MAX_WEIGHT).contains(weight));
    match (number, words.next()) {
        (Some(weight), None) => Ok(Some(weight)),
        _ => Err(format!("a weight is a whole number from 1 to {MAX_WEIGHT}")),
    }
}

/// The statements of a text that begins in this line.
fn statements(text: &str, first_line: usize) -> Result<Vec<Statement>, Wrong> {
    let line_of = |at: usize| first_line + text[..at].matches('\n').count();
    let (mut statements, mut begun) = (Vec::new(), None::<(usize, usize)>);
    let mut end = |begun: &mut Option<(usize, usize)>| -> Result<(), Wrong> {
        if let Some((start, end)) = begun.take() {
            let line = line_of(start);
            let template = Template::parse(&text[start..end]).map_err(|what| (line, what))?;
            statements.push(Statement { line, template });
        }
        Ok(())
    };
    for token in Lexer::new(text.as_bytes(), Dialect::default()) {
        match token.kind {
            Kind::Broken => {
                return Err((line_of(token.start), "a string or comment without its end begins here".into()));
            }
            Kind::Semicolon => end(&mut begun)?,
            _ => begun = Some((begun.map_or(token.start, |(start, _)| start), token.end)),
        }
    }
    end(&mut begun)?;
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(request: &Request) -> Vec<String> {
        let mut random = Rng::with_seed(7);
        let text = |statement: &Statement| {
            let mut out = Vec::new();
            statement.write(&mut random, &mut out);
            String::from_utf8(out).expect("UTF-8")
        };
        request.statements.iter().map(text).collect()
    }

    #[test]
    fn without_weights_each_statement_is_a_request() {
        let workload =
            Workload::from_text("f.sql", "-- mine\nSELECT 1;\n\nSELECT ';', 2 /* ; */;\nSELECT 3").expect("good");
        let all: Vec<_> = workload.requests.iter().flat_map(written).collect();
        assert_eq!(all, ["SELECT 1", "SELECT ';', 2", "SELECT 3"]);
        let lines: Vec<_> = workload.requests.iter().map(|request| request.statements[0].line).collect();
        assert_eq!(lines, [2, 4, 5]);
    }

    #[test]
    fn a_weight_makes_one_request_of_what_follows() {
        let text = "-- weight 3\nBEGIN;\nCOMMIT;\n--  weight 1\nSELECT 1;\n";
        let workload = Workload::from_text("f.sql", text).expect("good");
        let parts: Vec<_> = workload.requests.iter().map(|r| (r.weight, written(r))).collect();
        assert_eq!(parts, [(3, vec!["BEGIN".into(), "COMMIT".into()]), (1, vec!["SELECT 1".to_owned()])]);
        assert_eq!(workload.requests[1].statements[0].line, 5);
    }

    #[test]
    fn requests_come_as_often_as_their_weights_say() {
        let workload =
            Workload::from_text("f.sql", "-- weight 3\nSELECT 'often';\n-- weight 1\nSELECT 'seldom';").expect("good");
        let mut random = Rng::with_seed(1);
        let often = (0..40_000).filter(|_| workload.pick(&mut random).weight == 3).count();
        assert!((29_000..31_000).contains(&often), "{often}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, said) in [
            ("", "no statement"),
            ("-- nothing\n;;\n", "no statement"),
            ("SELECT 1;\nSELECT 'x", "line 2: a string"),
            ("-- weight 0\nSELECT 1;", "line 1: a weight"),
            ("-- weight\nSELECT 1;", "line 1: a weight"),
            ("-- weight 2 3\nSELECT 1;", "line 1: a weight"),
            ("SELECT 1;\n-- weight 2\nSELECT 2;", "line 1: this statement stands before"),
            ("-- weight 2\n\n-- weight 1\nSELECT 2;", "line 1: no statement follows"),
            ("SELECT 1;\nSELECT {5..2};", "line 2: {5..2}"),
        ] {
            let error = Workload::from_text("f.sql", text).expect_err(text);
            assert!(error.starts_with("f.sql") && error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn the_built_in_ones_are_sound() {
        for (name, ..) in BUILT_IN {
            let workload = Workload::built_in(name).expect(name);
            assert!(workload.total_weight > 0 && workload.needs_table);
            assert!(workload.requests.iter().all(|request| !request.statements.is_empty()));
        }
        assert_eq!(Workload::built_in("mixed").expect("built in").requests.len(), 3);
        assert!(Workload::built_in("connect").expect("built in").connects);
        assert_eq!(Workload::built_in("other"), None);
    }
}
