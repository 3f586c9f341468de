//! The statements that programs are made of: kinds, each with scripts of one or more lines.
//!
//! A line is what [`Action::parse`](super::action::Action::parse) reads, with these before it: `>` is said later, when
//! others have had their turns; `!` is said by another session. `{a|b}` is one of these; `{int}`, `{text}`, `{own}` and
//! others (see `generator`) are filled at random; `{schema}` and `{id:other}` when the program runs (`{seen:other}`: the id
//! that the server's functions say, where that may be another).

mod commands;
mod last;
mod locks;
mod reads;
mod routines;
mod settings;
mod transactions;
mod writes;

/// A sort of statement.
pub struct Kind {
    pub name: &'static str,
    /// How often it comes, against the others.
    pub weight: usize,
    pub scripts: &'static [&'static [&'static str]],
}

/// All that every program may hold.
pub fn all() -> impl Iterator<Item = &'static Kind> {
    let themes =
        [settings::KINDS, transactions::KINDS, writes::KINDS, reads::KINDS, last::KINDS, locks::KINDS, routines::KINDS];
    themes.into_iter().flatten().chain(commands::KINDS)
}

/// What all sessions of the server feel: only for programs that run alone.
pub fn exclusive() -> impl Iterator<Item = &'static Kind> {
    locks::EXCLUSIVE.iter().chain(settings::EXCLUSIVE)
}

const fn kind(name: &'static str, weight: usize, scripts: &'static [&'static [&'static str]]) -> Kind {
    Kind { name, weight, scripts }
}

#[test]
fn there_are_more_than_forty_kinds_with_names_of_their_own() {
    let names: std::collections::BTreeSet<_> = all().chain(exclusive()).map(|kind| kind.name).collect();
    assert_eq!(names.len(), all().chain(exclusive()).count());
    assert!(names.len() >= 60, "{} kinds", names.len());
}
