//! A seed becomes a program.

use std::collections::VecDeque;

use super::action::Action;
use super::catalog::{self, Kind};
use super::program::{Profile, Program, Step};
use super::random::Random;
use super::wire;

const MAX_SESSIONS: usize = 8;
const USERS: [&str; 5] = ["ta", "ta", "ta", "ta", "tb"];
const CHARSETS: [u8; 5] = [45, 45, 33, 8, 63];
const STEPS: std::ops::Range<usize> = 30..90;

/// The program of this seed: the same on every server.
pub fn program(seed: u64) -> Program {
    let mut random = Random::new(seed);
    let count = 2 + random.below(MAX_SESSIONS - 1);
    let sessions: Vec<_> = (0..count).map(|_| profile(&mut random)).collect();
    let exclusive = random.chance(6);
    let wanted = STEPS.start + random.below(STEPS.len());
    let mut draft = Draft { random, queues: vec![VecDeque::new(); count], steps: Vec::new(), exclusive };
    while draft.steps.len() < wanted {
        draft.turn();
    }
    Program { seed, sessions, steps: draft.steps, exclusive }
}

fn profile(random: &mut Random) -> Profile {
    let mut capabilities = wire::BASE;
    for (flag, percent) in [
        (wire::DEPRECATE_EOF, 50),
        (wire::SESSION_TRACK, 30),
        (wire::MULTI_STATEMENTS, 70),
        (wire::FOUND_ROWS, 20),
        (wire::QUERY_ATTRIBUTES, 20),
        (wire::LOCAL_FILES, 80),
        (wire::IGNORE_SPACE, 10),
        (wire::INTERACTIVE, 10),
        (wire::CAN_HANDLE_EXPIRED_PASSWORDS, 10),
    ] {
        if random.chance(percent) {
            capabilities |= flag;
        }
    }
    Profile {
        user: random.pick::<&str>(&USERS),
        in_schema: random.chance(90),
        capabilities,
        charset: *random.pick(&CHARSETS),
    }
}

struct Draft {
    random: Random,
    /// What each session will say later.
    queues: Vec<VecDeque<Step>>,
    steps: Vec<Step>,
    exclusive: bool,
}

impl Draft {
    fn turn(&mut self) {
        let me = self.random.below(self.queues.len());
        if self.random.chance(60)
            && let Some(step) = self.queues[me].pop_front()
        {
            self.steps.push(step);
            return;
        }
        let kind = self.kind();
        let script = *self.random.pick(kind.scripts);
        let other = (me + 1 + self.random.below(self.queues.len() - 1)) % self.queues.len();
        // One filling for the whole script: what it begins on slot 2 goes on there.
        let fixed = Fixed { slot: 1 + self.random.below(3), n: 1 + self.random.below(5), own: 11 + me, me, other };
        for line in script {
            self.line(line, kind.name, &fixed);
        }
    }

    fn kind(&mut self) -> &'static Kind {
        let exclusive = self.exclusive && self.random.chance(20);
        let kinds: Vec<_> = if exclusive { catalog::exclusive().collect() } else { catalog::all().collect() };
        let mut at = self.random.below(kinds.iter().map(|kind| kind.weight).sum());
        for kind in kinds {
            match at.checked_sub(kind.weight) {
                Some(less) => at = less,
                None => return kind,
            }
        }
        unreachable!("below the sum of all weights")
    }

    fn line(&mut self, line: &'static str, kind: &'static str, fixed: &Fixed) {
        let (later, line) = line.strip_prefix('>').map_or((false, line), |line| (true, line));
        let (session, line) = line.strip_prefix('!').map_or((fixed.me, line), |line| (fixed.other, line));
        let filled = self.fill(line, fixed).replace(".kill other", &format!(".kill {}", fixed.other));
        let step = Step { session, kind, action: Action::parse(&filled) };
        if later {
            self.queues[session].push_back(step);
        } else {
            self.steps.push(step);
        }
    }

    /// Fills `{..}`, the innermost first.
    fn fill(&mut self, line: &str, fixed: &Fixed) -> String {
        let mut line = line.to_owned();
        let mut from = 0;
        while let Some(end) = line[from..].find('}').map(|end| from + end) {
            let Some(start) = line[..end].rfind('{') else {
                from = end + 1;
                continue;
            };
            match self.filling(&line[start + 1..end], fixed) {
                Some(filling) => {
                    line.replace_range(start..=end, &filling);
                    from = 0;
                }
                None => {
                    // Kept for later: out of the way of what encloses it.
                    let kept = format!("\u{1}{}\u{2}", &line[start + 1..end]);
                    line.replace_range(start..=end, &kept);
                    from = 0;
                }
            }
        }
        line.replace('\u{1}', "{").replace('\u{2}', "}")
    }

    fn filling(&mut self, name: &str, fixed: &Fixed) -> Option<String> {
        if name.contains('|') {
            let choices: Vec<_> = name.split('|').collect();
            return Some((*self.random.pick(&choices)).to_owned());
        }
        Some(match name {
            "id:me" => format!("\u{1}id:{}\u{2}", fixed.me),
            "id:other" => format!("\u{1}id:{}\u{2}", fixed.other),
            "seen:me" => format!("\u{1}seen:{}\u{2}", fixed.me),
            "seen:other" => format!("\u{1}seen:{}\u{2}", fixed.other),
            "slot" => fixed.slot.to_string(),
            "n" => fixed.n.to_string(),
            "own" => fixed.own.to_string(),
            "any" => (1 + self.random.below(8)).to_string(),
            "var" => (*self.random.pick(&["a", "b", "c"])).to_owned(),
            "lock" => (*self.random.pick(&["a", "b"])).to_owned(),
            "int" => (*self.random.pick(&["0", "1", "-1", "42", "NULL", "2147483647", "10 + 5"])).to_owned(),
            "text" => (*self.random.pick(TEXTS)).to_owned(),
            "literal" => (*self.random.pick(LITERALS)).to_owned(),
            "value" => (*self.random.pick(VALUES)).to_owned(),
            _ => return None,
        })
    }
}

const TEXTS: &[&str] =
    &["'x'", "''", "'it''s'", "'a;b'", "'-- no'", "'\\'q'", "\"dq\"", "NULL", "'\u{e9}\u{4e16}'", "'/*'", "_latin1'l'"];
const LITERALS: &[&str] = &[
    "1",
    "-7",
    "1.50",
    "1e3",
    "'text'",
    "''",
    "NULL",
    "TRUE",
    "0x41",
    "b'1'",
    "'a' 'b'",
    "N'n'",
    "_latin1'\\xE9'",
    "DATE '2024-01-31'",
    "18446744073709551615",
    "'\u{e9}'",
    "1 + 1",
    "UPPER('q')",
    "'a' COLLATE utf8mb4_bin",
];
const VALUES: &[&str] = &["null", "int:0", "int:-5", "int:9000000000", "double:1.5", "text:abc", "text:", "text:7"];

/// What stays the same in one script.
struct Fixed {
    slot: usize,
    n: usize,
    own: usize,
    me: usize,
    other: usize,
}

#[test]
fn a_seed_is_one_program_and_all_kinds_come() {
    assert_eq!(program(7), program(7));
    assert_ne!(program(7).steps, program(8).steps);
    let seen: std::collections::BTreeSet<_> =
        (0..400).flat_map(|seed| program(seed).steps).map(|step| step.kind).collect();
    for kind in catalog::all().chain(catalog::exclusive()) {
        assert!(seen.contains(kind.name), "{}", kind.name);
    }
}

#[test]
fn nothing_is_left_to_fill_but_what_the_run_knows() {
    for step in (0..200).flat_map(|seed| program(seed).steps) {
        let text = step.action.to_string();
        let open = text.replace("{schema}", "").replace("{\"k\": ", "").replace("||", "");
        assert!(!open.contains('\u{1}') && !open.contains("|"), "{text}");
        for rest in open.split('{').skip(1) {
            assert!(rest.starts_with("id:") || rest.starts_with("seen:"), "{text}");
        }
    }
}
