//! Where the words, strings, numbers and comments of a statement begin and end.
//!
//! One pass, linear, no allocation, any bytes. Tokens cover exactly what the server would read: plain comments
//! are skipped, the content of executable comments (`/*! .. */`, MariaDB's `/*M! .. */`) is code where the
//! server's version says so. Source: the lexical rules of MySQL 5.6 to 9 and MariaDB 10.11 to 11.

pub use super::dialect::Dialect;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or an identifier without quotes; may begin with a digit.
    Word,
    /// An identifier in backticks (or in double quotes under ANSI_QUOTES), quotes included.
    QuotedIdentifier,
    /// A string, quotes included; also `x'..'` and `b'..'`.
    String,
    /// A number: decimal, float, `0x..`, `0b..`; without sign.
    Number,
    /// `@a`, or `@` and a quoted name.
    UserVariable,
    /// `@@a`, `@@scope.a`.
    SystemVariable,
    /// `@host` that follows an account's name without a space.
    Host,
    /// `:=`
    Assign,
    /// `;`
    Semicolon,
    /// `?`
    Placeholder,
    /// `/*!`, `/*!50100`, `/*M!100100`: what follows is code.
    CodeOpen,
    /// The `*/` of a [`Kind::CodeOpen`].
    CodeClose,
    /// One other byte: operator or punctuation.
    Punct,
    /// A string, identifier or comment without an end, or one whose end depends on the character set. Goes to the end of the text.
    Broken,
}

/// A token: its kind and its bytes' range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// White space (not only a comment) stands before it.
    pub spaced: bool,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
}

/// Iterator over a text's tokens. Cheap to clone: a clone looks ahead.
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    sql: &'a [u8],
    at: usize,
    dialect: Dialect,
    in_code: bool,
    name_end: usize,
}

impl<'a> Lexer<'a> {
    /// Reads `sql` from its first byte.
    pub fn new(sql: &'a [u8], dialect: Dialect) -> Self {
        Self { sql, at: 0, dialect, in_code: false, name_end: usize::MAX }
    }

    /// Reads `sql[start..end]`, with offsets of the whole `sql`, as one who has read it from its first byte. Such a one knows
    /// whether `start` is inside an executable comment (`in_code`), whose end is no operator.
    pub fn part(sql: &'a [u8], start: usize, end: usize, in_code: bool, dialect: Dialect) -> Self {
        let sql = sql.get(..end).unwrap_or(sql);
        Self { at: start, in_code, ..Self::new(sql, dialect) }
    }

    /// The text it reads.
    pub fn sql(&self) -> &'a [u8] {
        self.sql
    }

    /// The dialect it reads by.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Inside an executable comment.
    pub fn in_code(&self) -> bool {
        self.in_code
    }

    #[inline]
    fn byte(&self, at: usize) -> u8 {
        self.sql.get(at).copied().unwrap_or(0)
    }

    #[inline]
    fn class(&self, at: usize) -> Class {
        self.sql.get(at).map_or(Class::End, |&byte| CLASS[byte as usize])
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.read()
    }
}

impl Lexer<'_> {
    /// As [`Iterator::next`], always inlined: for the one loop over all tokens that a pass has.
    #[inline(always)]
    pub fn read(&mut self) -> Option<Token> {
        let mut spaced = false;
        loop {
            let start = self.at;
            let class = self.class(start);
            let (kind, end) = match class {
                Class::Space => {
                    spaced = true;
                    self.at += 1;
                    continue;
                }
                Class::Word => self.word(start),
                Class::Digit => self.number(start),
                Class::Other => (Kind::Punct, start + 1),
                Class::End => return None,
                _ => match self.special(class, start) {
                    Found::Token(kind, end) => (kind, end),
                    Found::Comment(end) => {
                        self.at = end;
                        continue;
                    }
                },
            };
            let (kind, end) = match self.dialect.high_space {
                0 => (kind, end),
                space => self.unspaced(kind, start, end, space),
            };
            if matches!(kind, Kind::Word | Kind::String | Kind::QuotedIdentifier) {
                self.name_end = end;
            }
            self.at = end;
            return Some(Token { kind, spaced, start, end });
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Other,
    Word,
    Digit,
    Space,
    Single,
    Double,
    Backtick,
    At,
    Dash,
    Hash,
    Slash,
    Star,
    Dot,
    Colon,
    Semicolon,
    Question,
    End,
}

enum Found {
    Token(Kind, usize),
    Comment(usize),
}

const CLASS: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut table = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80.. => Class::Word,
            b'0'..=b'9' => Class::Digit,
            b' ' | b'\t'..=b'\r' => Class::Space,
            b'\'' => Class::Single,
            b'"' => Class::Double,
            b'`' => Class::Backtick,
            b'@' => Class::At,
            b'-' => Class::Dash,
            b'#' => Class::Hash,
            b'/' => Class::Slash,
            b'*' => Class::Star,
            b'.' => Class::Dot,
            b':' => Class::Colon,
            b';' => Class::Semicolon,
            b'?' => Class::Question,
            _ => Class::Other,
        };
        byte += 1;
    }
    table
}

impl Lexer<'_> {
    /// A token that the server takes for several, with this byte as white space between them, is broken.
    fn unspaced(&self, kind: Kind, start: usize, end: usize, space: u8) -> (Kind, usize) {
        let is_quoted = matches!(kind, Kind::String | Kind::QuotedIdentifier);
        if !is_quoted && self.sql[start..end].contains(&space) { (Kind::Broken, self.sql.len()) } else { (kind, end) }
    }

    #[inline]
    fn word(&self, start: usize) -> (Kind, usize) {
        let end = self.word_end(start + 1);
        if end - start == 1 && self.byte(end) == b'\'' && matches!(self.byte(start) | 0x20, b'x' | b'b') {
            return self.quoted(end, b'\'', Kind::String);
        }
        if self.byte(start) == b'$' && self.dialect.has_dollar_quotes() && self.sql[start + 1..end].contains(&b'$') {
            return (Kind::Broken, self.sql.len());
        }
        if self.dialect.ascii_in_wide && !self.sql[start..end].is_ascii() {
            return (Kind::Broken, self.sql.len());
        }
        (Kind::Word, end)
    }

    #[inline]
    fn word_end(&self, from: usize) -> usize {
        let mut end = from;
        while matches!(self.class(end), Class::Word | Class::Digit) {
            end += 1;
        }
        end
    }

    fn number(&self, start: usize) -> (Kind, usize) {
        let end = self.digits_end(start);
        match (self.class(end), self.byte(end)) {
            (Class::Word, b'e' | b'E') => self.exponent(end),
            (Class::Word, radix) => self.radix(start, end, radix),
            (Class::Dot, _) if self.class(end + 1) == Class::Word && !matches!(self.byte(end + 1), b'e' | b'E') => {
                (Kind::Number, end + 1)
            }
            (Class::Dot, _) => self.fraction(end + 1),
            _ => (Kind::Number, end),
        }
    }

    fn digits_end(&self, from: usize) -> usize {
        let mut end = from;
        while self.class(end) == Class::Digit {
            end += 1;
        }
        end
    }

    fn fraction(&self, from: usize) -> (Kind, usize) {
        let end = self.digits_end(from);
        if matches!(self.byte(end), b'e' | b'E')
            && let (Kind::Number, end) = self.exponent(end)
        {
            return (Kind::Number, end);
        }
        (Kind::Number, end)
    }

    // `1e5`, `1e+5`; `1e` and `1ex` are identifiers.
    fn exponent(&self, mark: usize) -> (Kind, usize) {
        let sign = usize::from(matches!(self.byte(mark + 1), b'+' | b'-'));
        let end = self.digits_end(mark + 1 + sign);
        if end > mark + 1 + sign && (sign == 1 || self.class(end) != Class::Word) {
            return (Kind::Number, end);
        }
        (Kind::Word, self.word_end(mark))
    }

    // `0x1F`, `0b01`; anything else that begins with digits and goes on with letters is an identifier.
    fn radix(&self, start: usize, mark: usize, radix: u8) -> (Kind, usize) {
        let end = self.word_end(mark);
        let digits = &self.sql[mark + 1..end];
        let zero = mark == start + 1 && self.byte(start) == b'0' && !digits.is_empty();
        let number = match radix {
            b'x' => digits.iter().all(u8::is_ascii_hexdigit),
            b'b' => digits.iter().all(|digit| matches!(digit, b'0' | b'1')),
            _ => false,
        };
        (if zero && number { Kind::Number } else { Kind::Word }, end)
    }

    fn special(&mut self, class: Class, start: usize) -> Found {
        let (kind, end) = match class {
            Class::Single => self.quoted(start, b'\'', Kind::String),
            Class::Double if self.dialect.ansi_quotes => self.quoted(start, b'"', Kind::QuotedIdentifier),
            Class::Double => self.quoted(start, b'"', Kind::String),
            Class::Backtick => self.quoted(start, b'`', Kind::QuotedIdentifier),
            Class::At => self.at_sign(start),
            Class::Dot if self.class(start + 1) == Class::Digit && self.name_end != start => self.fraction(start + 1),
            Class::Colon if self.byte(start + 1) == b'=' => (Kind::Assign, start + 2),
            Class::Semicolon => (Kind::Semicolon, start + 1),
            Class::Question => (Kind::Placeholder, start + 1),
            Class::Hash => return Found::Comment(self.line_end(start)),
            Class::Dash if self.is_dash_comment(start) => {
                return Found::Comment(self.line_end(start));
            }
            Class::Dash if self.may_be_comment(start) => (Kind::Broken, self.sql.len()),
            Class::Slash if self.byte(start + 1) == b'*' => return self.slash_comment(start),
            Class::Star if self.in_code && self.byte(start + 1) == b'/' => {
                self.in_code = false;
                (Kind::CodeClose, start + 2)
            }
            _ => (Kind::Punct, start + 1),
        };
        Found::Token(kind, end)
    }

    fn quoted(&self, start: usize, quote: u8, kind: Kind) -> (Kind, usize) {
        let escapes = kind == Kind::String && !self.dialect.no_backslash_escapes;
        let mut at = start + 1;
        while let Some(found) = self.quote_or_escape(at, quote, escapes) {
            if self.is_ambiguous(found) {
                break;
            }
            if self.sql[found] == b'\\' || self.byte(found + 1) == quote {
                at = found + 2;
                continue;
            }
            return (kind, found + 1);
        }
        (Kind::Broken, self.sql.len())
    }

    #[inline]
    fn quote_or_escape(&self, from: usize, quote: u8, escapes: bool) -> Option<usize> {
        const SHORT: usize = 16;
        let rest = self.sql.get(from..)?;
        let stops = |byte: &u8| *byte == quote || (escapes && *byte == b'\\');
        if let Some(found) = rest.iter().take(SHORT).position(stops) {
            return Some(from + found);
        }
        let rest = rest.get(SHORT..)?;
        let found = if escapes { memchr::memchr2(quote, b'\\', rest) } else { memchr::memchr(quote, rest) };
        found.map(|found| from + SHORT + found)
    }

    fn is_ambiguous(&self, at: usize) -> bool {
        self.dialect.ascii_in_wide && matches!(self.sql[at], b'\\' | b'`') && self.sql[at - 1] >= 0x80
    }

    fn at_sign(&self, start: usize) -> (Kind, usize) {
        let kind = if self.name_end == start { Kind::Host } else { Kind::UserVariable };
        match self.byte(start + 1) {
            b'@' => (Kind::SystemVariable, self.dotted_end(start + 2)),
            quote @ (b'\'' | b'"' | b'`') => self.quoted_name(start + 1, quote, kind),
            _ => match self.variable_end(start + 1) {
                // The variable without a name, of which only old servers know.
                end if end == start + 1 && self.dialect.has_nameless_variable() => (Kind::Broken, self.sql.len()),
                end if end == start + 1 => (Kind::Punct, end),
                end => (kind, end),
            },
        }
    }

    fn quoted_name(&self, start: usize, quote: u8, kind: Kind) -> (Kind, usize) {
        let string = quote == b'\'' || (quote == b'"' && !self.dialect.ansi_quotes);
        let lexed_as = if string { Kind::String } else { Kind::QuotedIdentifier };
        match self.quoted(start, quote, lexed_as) {
            (Kind::Broken, end) => (Kind::Broken, end),
            (_, end) => (kind, end),
        }
    }

    fn variable_end(&self, from: usize) -> usize {
        let mut end = from;
        while matches!(self.class(end), Class::Word | Class::Digit | Class::Dot) {
            end += 1;
        }
        end
    }

    // `@@global.x`, `` @@`global`.`x` ``
    fn dotted_end(&self, from: usize) -> usize {
        let mut end = from;
        loop {
            end = match self.class(end) {
                Class::Word | Class::Digit | Class::Dot => end + 1,
                Class::Backtick => self.quoted(end, b'`', Kind::QuotedIdentifier).1,
                _ => return end,
            };
        }
    }

    fn line_end(&self, from: usize) -> usize {
        memchr::memchr(b'\n', &self.sql[from..]).map_or(self.sql.len(), |found| from + found)
    }

    // `--` begins a comment only before white space, a control byte or the end.
    fn is_dash_comment(&self, start: usize) -> bool {
        let next = self.sql.get(start + 2);
        self.byte(start + 1) == b'-' && next.is_none_or(|&byte| byte == b' ' || byte.is_ascii_control())
    }

    // What the character set calls a control character begins a comment, too.
    fn may_be_comment(&self, start: usize) -> bool {
        self.dialect.high_space != 0 && self.byte(start + 1) == b'-' && self.byte(start + 2) >= 0x80
    }

    fn slash_comment(&mut self, start: usize) -> Found {
        let mark = match (self.byte(start + 2), self.byte(start + 3)) {
            (b'!', _) => start + 3,
            (b'M', b'!') if self.dialect.mariadb => start + 4,
            _ => return self.skipped(self.comment_end(start + 2)),
        };
        let (version, code) = self.comment_version(mark);
        if self.dialect.runs(version, mark - start == 4) {
            self.in_code = true;
            return Found::Token(Kind::CodeOpen, code);
        }
        self.skipped(self.unused_code_end(code))
    }

    fn skipped(&self, end: Option<usize>) -> Found {
        end.map_or(Found::Token(Kind::Broken, self.sql.len()), Found::Comment)
    }

    fn comment_end(&self, from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let star = at + memchr::memchr(b'*', self.sql.get(at..)?)?;
            if self.byte(star + 1) == b'/' {
                return Some(star + 2);
            }
            at = star + 1;
        }
    }

    // The servers allow one level of comments inside code that they do not run.
    fn unused_code_end(&self, from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let found = at + memchr::memchr2(b'*', b'/', self.sql.get(at..)?)?;
            at = match (self.sql[found], self.byte(found + 1)) {
                (b'*', b'/') => return Some(found + 2),
                (b'/', b'*') => self.comment_end(found + 2)?,
                _ => found + 1,
            };
        }
    }

    // The version after `/*!` (0: none) and where the code begins: five digits, six where the server knows six.
    fn comment_version(&self, mark: usize) -> (u32, usize) {
        let most = if self.dialect.knows_six_digits() { 6 } else { 5 };
        let digits = self.sql[mark.min(self.sql.len())..].iter().take(most).take_while(|byte| byte.is_ascii_digit());
        let (version, count) =
            digits.fold((0, 0), |(version, count), digit| (version * 10 + u32::from(digit - b'0'), count + 1));
        if count < 5 { (0, mark) } else { (version, mark + count) }
    }
}

#[cfg(test)]
mod tests;
