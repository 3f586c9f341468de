//! Many programs at once through one hop, each beside a run of its own that goes direct.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, RwLock};
use std::time::{Duration, Instant};

use super::compare::{Difference, first_difference, report};
use super::program::Program;
use super::runner::{Transcript, Way, run};
use super::shrink::shrink;
use super::{found, generator};

/// How often a difference is looked for again in a smaller program.
const TRIES: usize = 2;

/// Where to run.
pub struct Place {
    pub server: SocketAddr,
    pub hop: SocketAddr,
    /// What `Way::ask_ids` says of both ways.
    pub ask_ids: bool,
    /// What `Way::may_do_without_cursor` says of both ways.
    pub may_do_without_cursor: bool,
    /// Statements with one of these in them are left out.
    pub left_out: Vec<&'static str>,
    /// How many sessions may be on the hop at once.
    pub sessions: usize,
    /// How many programs at once.
    pub programs: usize,
    /// How long to look for a smaller program that shows the same.
    pub shrinking: Duration,
}

/// What a campaign did and found.
#[derive(Default)]
pub struct Outcome {
    pub programs: usize,
    pub statements: usize,
    pub kinds: BTreeMap<&'static str, usize>,
    /// Programs whose direct runs differ from each other: they prove nothing.
    pub unsteady: Vec<String>,
    pub differences: Vec<String>,
}

/// Runs the programs of these seeds, until enough differences are found or the time is over.
pub fn campaign(place: &Place, seeds: &[u64], enough: usize, limit: Option<Instant>) -> Outcome {
    let shared = Shared {
        place,
        room: Room { free: Mutex::new(place.sessions), freed: Condvar::new() },
        alone: RwLock::new(()),
        outcome: Mutex::new(Outcome::default()),
    };
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..place.programs {
            scope.spawn(|| {
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if limit.is_some_and(|limit| Instant::now() > limit) || shared.found() >= enough {
                        return;
                    }
                    let mut program = found::program(seed).unwrap_or_else(|| generator::program(seed));
                    program.steps.retain(|step| !self::is_left_out(place, &step.action.to_string()));
                    shared.one(&program);
                }
            });
        }
    });
    shared.outcome.into_inner().expect("no panic")
}

/// Whether the README says of this statement that it is not answered as by a server.
fn is_left_out(place: &Place, text: &str) -> bool {
    place.left_out.iter().any(|words| text.contains(words))
}

struct Shared<'a> {
    place: &'a Place,
    room: Room,
    alone: RwLock<()>,
    outcome: Mutex<Outcome>,
}

impl Shared<'_> {
    fn found(&self) -> usize {
        self.outcome.lock().expect("no panic").differences.len()
    }

    fn one(&self, program: &Program) {
        let difference = self.differs(program);
        self.count(program);
        let Some(difference) = difference else { return };
        if let Some(unsteady) = self.unsteady(program) {
            let text = report(program, &unsteady);
            self.outcome.lock().expect("no panic").unsteady.push(text);
            return;
        }
        let whole = report(program, &difference);
        // To be read while a smaller program is looked for, which may take long.
        eprintln!("found, not yet made smaller:\n{whole}");
        let again = |program: &Program| (0..TRIES).find_map(|_| self.differs(program));
        // What does not come again when it is alone is shown whole.
        let found = if self.place.shrinking.is_zero() { None } else { again(program) };
        let text = match found {
            Some(found) => {
                let (program, found) = shrink(program.clone(), found, self.place.shrinking, again);
                report(&program, &found)
            }
            None => format!("(seen once)\n{whole}"),
        };
        self.outcome.lock().expect("no panic").differences.push(text);
    }

    fn count(&self, program: &Program) {
        let mut outcome = self.outcome.lock().expect("no panic");
        outcome.programs += 1;
        outcome.statements += program.steps.len();
        for step in &program.steps {
            *outcome.kinds.entry(step.kind).or_default() += 1;
        }
    }

    /// The first step at which the hop and the server part.
    fn differs(&self, program: &Program) -> Option<Difference> {
        self.undisturbed(program, || {
            let direct = self.direct(program);
            let sessions = self.room.take(program.active());
            let through = run(program, self.way(self.place.hop), self.place.server);
            drop(sessions);
            first_difference(&direct, &through)
        })
    }

    /// The first step at which the server and the server part.
    fn unsteady(&self, program: &Program) -> Option<Difference> {
        let once = self.undisturbed(program, || self.direct(program));
        (0..TRIES).find_map(|_| first_difference(&once, &self.undisturbed(program, || self.direct(program))))
    }

    fn direct(&self, program: &Program) -> Transcript {
        run(program, self.way(self.place.server), self.place.server)
    }

    fn way(&self, address: SocketAddr) -> Way {
        let Place { ask_ids, may_do_without_cursor, .. } = *self.place;
        Way { address, ask_ids, may_do_without_cursor }
    }

    fn undisturbed<T>(&self, program: &Program, work: impl FnOnce() -> T) -> T {
        if program.exclusive {
            let _alone = self.alone.write().expect("no panic");
            work()
        } else {
            let _together = self.alone.read().expect("no panic");
            work()
        }
    }
}

/// Room on the hop, in sessions.
struct Room {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Room {
    fn take(&self, sessions: usize) -> Taken<'_> {
        let free = self.free.lock().expect("no panic");
        let mut free = self.freed.wait_while(free, |free| *free < sessions).expect("no panic");
        *free -= sessions;
        Taken { room: self, sessions }
    }
}

struct Taken<'a> {
    room: &'a Room,
    sessions: usize,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.room.free.lock().expect("no panic") += self.sessions;
        self.room.freed.notify_all();
    }
}

impl Outcome {
    /// One line of what was done.
    pub fn summary(&self) -> String {
        let kinds: BTreeSet<_> = self.kinds.keys().collect();
        format!(
            "{} programs, {} steps of {} kinds, {} unsteady, {} differences",
            self.programs,
            self.statements,
            kinds.len(),
            self.unsteady.len(),
            self.differences.len()
        )
    }

    /// Panics where the hop could be told from the server, or where too much proved nothing.
    pub fn judge(&self, name: &str) {
        eprintln!("{name}: {}", self.summary());
        for text in &self.unsteady {
            eprintln!("unsteady, {text}");
        }
        assert!(self.differences.is_empty(), "{name}: {}\n{}", self.summary(), self.differences.join("\n"));
        assert!(self.unsteady.len() * 20 <= self.programs.max(20), "{name}: {}", self.summary());
    }
}
