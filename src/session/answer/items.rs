//! The items of a statement's select lists, and what names them.

use std::cmp::Reverse;
use std::iter::Peekable;
use std::vec::IntoIter;

use rustc_hash::FxHashMap;

use super::asked::Asked;
use crate::sql::lexer::{Kind, Token};

/// One item: indexes of tokens, the last one excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    pub first: usize,
    pub end: usize,
    /// Where its alias begins (with AS, if it has that); `end` where it has none.
    pub alias: usize,
    /// Of the statement's own list, not of a subquery's.
    pub top: bool,
    /// Its place in its list.
    pub place: usize,
}

/// What a statement's select lists are.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub items: Vec<Item>,
    /// The cells of the top list cannot be replaced: a `*` moves them, or they are used for more than to be shown.
    pub entangled: bool,
    /// FROM a table, not DUAL.
    pub has_table: bool,
}

/// The index of the `)` for each `(`, by the latter's.
pub(super) fn closings(sql: &[u8], tokens: &[Token]) -> FxHashMap<usize, usize> {
    let (mut open, mut closings) = (Vec::new(), FxHashMap::default());
    for (at, token) in tokens.iter().enumerate() {
        match sql[token.start] {
            b'(' if token.kind == Kind::Punct => open.push(at),
            b')' if token.kind == Kind::Punct => closings.extend(open.pop().map(|open| (open, at))),
            _ => {}
        }
    }
    closings
}

/// Reads the lists. `tokens` hold no marks of executable comments.
pub(super) fn lists(sql: &[u8], tokens: &[Token]) -> Lists {
    let mut reader = Reader { sql, tokens, lists: Lists::default(), has_top: false, open: vec![None] };
    for at in 0..tokens.len() {
        reader.token(at);
    }
    reader.close(tokens.len());
    reader.lists
}

/// The servers refuse a statement of as many SELECTs one in another (ER_TOO_HIGH_LEVEL_OF_NESTING_FOR_SELECT): it needs no more
/// names, each of which holds those within it.
const MAX_NESTED: usize = 64;

/// The items around each of the questions, for questions in the text's order. An item is inside of another or beside it, so that
/// those around a place are a stack.
pub(super) struct Around {
    waiting: Peekable<IntoIter<Item>>,
    /// Those that have begun and not ended, and whether [`Around::take`] gave them; the innermost last.
    open: Vec<(Item, bool)>,
}

impl Around {
    /// Of these items.
    pub fn new(items: &[Item]) -> Around {
        let mut items = items.to_vec();
        items.sort_unstable_by_key(|item| (item.first, Reverse(item.end)));
        Around { waiting: items.into_iter().peekable(), open: Vec::new() }
    }

    /// The innermost item around this question.
    pub fn innermost(&mut self, found: Asked) -> Option<Item> {
        while let Some(next) = self.waiting.next_if(|next| next.first <= found.first) {
            self.leave(next.first);
            self.open.push((next, false));
        }
        self.leave(found.first);
        self.count(found).checked_sub(1).map(|last| self.open[last].0)
    }

    /// The items around the question of [`Around::innermost`] that were not given before: all that a server takes.
    pub fn take(&mut self, found: Asked) -> impl Iterator<Item = Item> {
        let count = self.count(found).min(MAX_NESTED);
        // With an item all around it were given.
        let given = self.open[..count].iter().rposition(|(_, given)| *given).map_or(0, |last| last + 1);
        self.open[given..count].iter_mut().map(|(item, given)| {
            *given = true;
            *item
        })
    }

    fn count(&self, found: Asked) -> usize {
        self.open.partition_point(|(item, _)| found.end <= item.end)
    }

    fn leave(&mut self, at: usize) {
        while self.open.pop_if(|(item, _)| item.end <= at).is_some() {}
    }
}

/// A list being read: where its present item begins, if it has begun, and that item's place.
#[derive(Clone, Copy)]
struct List {
    first: Option<usize>,
    place: usize,
}

struct Reader<'a> {
    sql: &'a [u8],
    tokens: &'a [Token],
    lists: Lists,
    /// One of the items is of the statement's own list.
    has_top: bool,
    /// Per parenthesis; `None` where no list is being read.
    open: Vec<Option<List>>,
}

impl<'a> Reader<'a> {
    fn text(&self, at: usize) -> &'a [u8] {
        self.tokens.get(at).map_or(b"", |token| &self.sql[token.start..token.end])
    }

    fn is(&self, at: usize, words: &[&str]) -> bool {
        let is_word = self.tokens.get(at).is_some_and(|token| token.kind == Kind::Word);
        is_word && words.iter().any(|word| self.text(at).eq_ignore_ascii_case(word.as_bytes()))
    }

    fn token(&mut self, at: usize) {
        let qualified = at > 0 && self.text(at - 1) == b".";
        let top = self.open.len() == 1;
        if self.is(at, &["select", "returning"]) && !qualified {
            self.lists.entangled |= top && (self.has_top || !self.is(at, &["select"]));
            *self.list() = Some(List { first: None, place: 0 });
            return;
        }
        match self.text(at) {
            b"(" => {
                self.begin(at);
                self.open.push(None);
            }
            b")" => {
                self.end(at);
                if self.open.len() > 1 {
                    self.open.pop();
                }
            }
            b"," if self.list().is_some() => self.item(at),
            b"*" if top && self.list().is_some() && self.is_star(at) => {
                self.lists.entangled = true;
                self.begin(at);
            }
            _ if self.is(at, ENDS) && !qualified => self.clause(at, top),
            _ if !self.is(at, MODIFIERS) => self.begin(at),
            _ => {}
        }
    }

    // `*` and `t.*`, not a product.
    fn is_star(&self, at: usize) -> bool {
        let begins = self.open.last().copied().flatten().is_some_and(|list| list.first.is_none());
        begins || self.text(at.saturating_sub(1)) == b"."
    }

    fn list(&mut self) -> &mut Option<List> {
        // There is always one: the statement's own is never popped.
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    fn begin(&mut self, at: usize) {
        if let Some(list) = self.list() {
            list.first.get_or_insert(at);
        }
    }

    fn clause(&mut self, at: usize, top: bool) {
        self.end(at);
        if self.is(at, &["from", "join"]) && !self.is(at + 1, &["dual"]) {
            self.lists.has_table |= self.text(at + 1) != b"(";
        }
        self.lists.entangled |= top && self.is(at, ENTANGLE);
    }

    fn end(&mut self, at: usize) {
        self.item(at);
        *self.list() = None;
    }

    fn close(&mut self, end: usize) {
        while !self.open.is_empty() {
            self.item(end);
            self.open.pop();
        }
    }

    fn item(&mut self, end: usize) {
        let top = self.open.len() == 1;
        let Some(Some(list)) = self.open.last_mut() else { return };
        let Some(first) = list.first.take() else { return };
        let place = list.place;
        list.place += 1;
        self.has_top |= top;
        let alias = self.alias(first, end);
        self.lists.items.push(Item { first, end, alias, top, place });
    }

    fn alias(&self, first: usize, end: usize) -> usize {
        if end - first < 2 {
            return end;
        }
        if self.is(end - 2, &["as"]) {
            return end - 2;
        }
        let (last, before) = (end - 1, end - 2);
        let kind = self.tokens[last].kind;
        let names = matches!(kind, Kind::Word | Kind::QuotedIdentifier | Kind::String) && !self.is(last, VALUES);
        let operator = matches!(self.tokens[before].kind, Kind::Punct | Kind::Assign) && self.text(before) != b")";
        let follows = !operator && !self.is(before, OPERATORS);
        if names && follows { last } else { end }
    }
}

const MODIFIERS: &[&str] = &[
    "all",
    "distinct",
    "distinctrow",
    "high_priority",
    "straight_join",
    "sql_small_result",
    "sql_big_result",
    "sql_buffer_result",
    "sql_cache",
    "sql_no_cache",
    "sql_calc_found_rows",
];

const ENDS: &[&str] = &[
    "from",
    "join",
    "into",
    "where",
    "group",
    "having",
    "window",
    "order",
    "limit",
    "union",
    "except",
    "intersect",
    "minus",
    "procedure",
    "for",
    "lock",
    "fetch",
    "offset",
];

/// After which an item's value is more than shown, or its place in the reply another.
const ENTANGLE: &[&str] = &["into", "having", "union", "except", "intersect", "minus", "procedure"];

const VALUES: &[&str] = &["null", "true", "false", "unknown", "end"];

const OPERATORS: &[&str] = &[
    "and", "or", "xor", "not", "div", "mod", "like", "regexp", "rlike", "is", "in", "between", "collate", "binary",
    "escape", "then", "else", "when", "case", "interval", "sounds", "of", "member",
];
