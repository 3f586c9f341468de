//! Makes a program that shows a difference as small as it can be.

use std::time::{Duration, Instant};

use super::compare::Difference;
use super::program::Program;

/// Takes away what is not needed for `differs` to find something. Ends early when the time is over.
pub fn shrink(
    mut program: Program,
    mut found: Difference,
    limit: Duration,
    mut differs: impl FnMut(&Program) -> Option<Difference>,
) -> (Program, Difference) {
    let limit = Instant::now() + limit;
    // What comes after the difference has no part in it.
    program.steps.truncate(found.step + 1);
    let mut try_without = |program: &mut Program, found: &mut Difference, keep: &dyn Fn(usize) -> bool| {
        let mut smaller = program.clone();
        let mut at = 0..;
        smaller.steps.retain(|_| keep(at.next().expect("a number")));
        if smaller.steps.len() == program.steps.len() || smaller.steps.is_empty() || Instant::now() > limit {
            return false;
        }
        let Some(difference) = differs(&smaller) else { return false };
        smaller.steps.truncate(difference.step + 1);
        (*program, *found) = (smaller, difference);
        true
    };
    for session in 0..program.sessions.len() {
        let others: Vec<_> = program.steps.iter().map(|step| step.session != session).collect();
        try_without(&mut program, &mut found, &|at| others[at]);
    }
    let mut chunk = program.steps.len() / 2;
    while chunk > 0 {
        let mut from = 0;
        let before = program.steps.len();
        while from < program.steps.len() {
            if !try_without(&mut program, &mut found, &|at| !(from..from + chunk).contains(&at)) {
                from += chunk;
            }
        }
        // Single steps until none can go.
        if chunk > 1 || program.steps.len() == before {
            chunk /= 2;
        }
    }
    (program, found)
}

#[test]
fn what_is_not_needed_goes() {
    use super::action::Action;
    use super::runner::Entry;
    let program = super::generator::program(3);
    let none = Entry::Gone(None);
    // A difference as soon as one session says both of the program's first and tenth line.
    let (first, tenth) = (program.steps[0].clone(), program.steps[9].clone());
    let differs = |program: &Program| {
        let first = program.steps.iter().position(|step| *step == first)?;
        let step = first + program.steps[first..].iter().position(|step| *step == tenth)?;
        Some(Difference { step, direct: none.clone(), through: none.clone() })
    };
    let found = differs(&program).expect("the difference");
    let (small, _) = shrink(program.clone(), found, Duration::from_secs(5), differs);
    assert!(small.steps.len() <= 2, "{small}");
    assert!(!small.steps.iter().any(|step| matches!(step.action, Action::Ping) && *step != first && *step != tenth));
}
