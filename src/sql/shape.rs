//! The shape of a statement: its text with every plain literal in its shortest form (`'abc'` is `''`, `1234` is `0`).
//!
//! A shape is itself a statement, with the same tokens but for the literals' contents, so that whatever does not depend on these
//! may be asked of the shape instead. Applications say few shapes, each many times: see [`super::familiar`].
//!
//! What a literal is must be beyond doubt in every dialect. A text with a semicolon, a comment, a backslash in quotes, a character
//! set where ASCII may be half of a character, or a string without an end has no shape; unusual numbers stay as they are.

use super::lexer::Dialect;

/// Bytes of the longest text that has a shape.
pub const MAX: usize = 1024;

/// The shape of `sql`, written to `into`; `None`: it has none. One pass, no allocation.
pub fn shape<'a>(sql: &[u8], dialect: Dialect, into: &'a mut [u8; MAX]) -> Option<&'a [u8]> {
    if sql.len() > MAX || dialect.ascii_in_wide {
        return None;
    }
    let mut scan = Scan { sql, at: 0, out: into, len: 0, joined: false };
    scan.all(dialect.ansi_quotes)?;
    let Scan { out, len, .. } = scan;
    Some(&out[..len])
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    /// Ends a word or a number, and stays.
    Plain,
    /// What follows directly may belong to it.
    Joining,
    Digit,
    Single,
    Double,
    Backtick,
    Dash,
    Slash,
    /// A comment, or another statement.
    Stop,
}

const CLASS: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut table = [Class::Plain; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | b'.' | b'@' | 0x80.. => Class::Joining,
            b'0'..=b'9' => Class::Digit,
            b'\'' => Class::Single,
            b'"' => Class::Double,
            b'`' => Class::Backtick,
            b'#' | b';' => Class::Stop,
            b'-' => Class::Dash,
            b'/' => Class::Slash,
            _ => Class::Plain,
        };
        byte += 1;
    }
    table
}

struct Scan<'a, 'b> {
    sql: &'a [u8],
    at: usize,
    // Never longer than what was read.
    out: &'b mut [u8; MAX],
    len: usize,
    // What was read last is Joining.
    joined: bool,
}

impl Scan<'_, '_> {
    #[inline]
    fn all(&mut self, ansi_quotes: bool) -> Option<()> {
        loop {
            self.stretch();
            let Some(&byte) = self.sql.get(self.at) else { return Some(()) };
            match CLASS[byte as usize] {
                Class::Plain | Class::Joining => {}
                Class::Digit => self.number(),
                Class::Single => self.string(byte)?,
                Class::Double if !ansi_quotes => self.string(byte)?,
                Class::Double | Class::Backtick => self.name(byte)?,
                Class::Stop => return None,
                Class::Dash if self.next_is(b'-') => return None,
                Class::Slash if self.next_is(b'*') => return None,
                Class::Dash | Class::Slash => self.keep(byte, false),
            }
        }
    }

    // Most bytes stay as they are: to find where that ends is what a statement costs.
    #[inline]
    fn stretch(&mut self) {
        let rest = &self.sql[self.at..];
        let class = |at: usize| CLASS[rest[at] as usize];
        let is_joined = |at: usize| if at == 0 { self.joined } else { class(at - 1) != Class::Plain };
        let mut n = 0;
        loop {
            while n < rest.len() && class(n) as u8 <= Class::Joining as u8 {
                n += 1;
            }
            // A digit stays where it belongs to a word.
            if n == rest.len() || class(n) != Class::Digit || !is_joined(n) {
                break;
            }
            n += 1;
        }
        let joined = is_joined(n);
        self.out[self.len..self.len + n].copy_from_slice(&rest[..n]);
        (self.at, self.len, self.joined) = (self.at + n, self.len + n, joined);
    }

    #[inline]
    fn keep(&mut self, byte: u8, joined: bool) {
        self.put(byte);
        self.at += 1;
        self.joined = joined;
    }

    #[inline]
    fn put(&mut self, byte: u8) {
        if let Some(place) = self.out.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn next_is(&self, byte: u8) -> bool {
        self.sql.get(self.at + 1) == Some(&byte)
    }

    #[inline]
    fn class(&self, at: usize) -> Class {
        self.sql.get(at).map_or(Class::Plain, |&byte| CLASS[byte as usize])
    }

    #[inline]
    fn digits_end(&self, from: usize) -> usize {
        let mut end = from;
        while self.class(end) == Class::Digit {
            end += 1;
        }
        end
    }

    // `1234` and `12.5` have a shape of their own; of `1e5`, `0x1F`, `2nd` every byte stays.
    #[inline]
    fn number(&mut self) {
        let whole = self.digits_end(self.at);
        if self.class(whole) != Class::Joining {
            self.put(b'0');
            self.at = whole;
            return;
        }
        let fraction = self.digits_end(whole + 1);
        if self.sql[whole] == b'.' && fraction > whole + 1 && self.class(fraction) != Class::Joining {
            [b'0', b'.', b'0'].into_iter().for_each(|byte| self.put(byte));
            self.at = fraction;
            return;
        }
        while self.at < whole {
            self.keep(self.sql[self.at], true);
        }
    }

    // Doubled quotes are two strings side by side here, and one again to whoever reads the shape.
    fn string(&mut self, quote: u8) -> Option<()> {
        if self.joined {
            return None;
        }
        let content = self.sql.get(self.at + 1..)?;
        let end = memchr::memchr2(quote, b'\\', content).filter(|&end| content[end] == quote)?;
        self.put(quote);
        self.put(quote);
        self.at += end + 2;
        Some(())
    }

    // A backslash in double quotes would be a string's to whoever knows no ANSI_QUOTES, as the digest.
    fn name(&mut self, quote: u8) -> Option<()> {
        let content = self.sql.get(self.at + 1..)?;
        let end = match quote {
            b'"' => memchr::memchr2(quote, b'\\', content).filter(|&end| content[end] == quote)?,
            _ => memchr::memchr(quote, content)?,
        };
        let end = self.at + 1 + end;
        while self.at <= end {
            self.keep(self.sql[self.at], false);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::digest::{digest, fingerprint};
    use crate::sql::effects::summary;
    use crate::sql::familiar::depends_on_no_literal;
    use proptest::prelude::*;

    fn shape_of(sql: &[u8], dialect: Dialect) -> Option<Vec<u8>> {
        shape(sql, dialect, &mut [0; MAX]).map(<[u8]>::to_vec)
    }

    #[test]
    fn plain_literals_are_short() {
        let cases = [
            ("", Some("")),
            ("SELECT c FROM sbtest1 WHERE id=50123", Some("SELECT c FROM sbtest1 WHERE id=0")),
            ("SELECT 'it''s', \"b\", 12.50 , -7, t.5", Some("SELECT '''', \"\", 0.0 , -0, t.5")),
            ("SELECT `a'1` , 1e5, 0x1F, 2nd, .5, 1.", Some("SELECT `a'1` , 1e5, 0x1F, 2nd, .5, 1.")),
            ("SELECT 1.2.3, @1, @a1, a$1, 5-3", Some("SELECT 1.2.3, @1, @a1, a$1, 0-0")),
            ("SELECT 1 -- x", None),
            ("SELECT 1 # x", None),
            ("SELECT 1;", None),
            ("SELECT '; XA'", Some("SELECT ''")),
            ("SELECT 1 /* x */", None),
            ("SELECT 4/2", Some("SELECT 0/0")),
            ("SELECT 'a\\'b'", None),
            ("SELECT 'a", None),
            ("SELECT `a", None),
            ("SELECT x'4D'", None),
            ("SELECT _utf8'a'", None),
        ];
        for (sql, expected) in cases {
            let found = shape_of(sql.as_bytes(), Dialect::default());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{sql}");
        }
        let ansi = Dialect { ansi_quotes: true, ..Dialect::default() };
        assert_eq!(shape_of(b"SELECT \"a1 \" 5", ansi).as_deref(), Some(&b"SELECT \"a1 \" 0"[..]));
        assert_eq!(shape_of(b"SELECT \"\\\"'\"'", ansi), None);
        assert_eq!(shape_of(b"SELECT `\\`, 1", ansi).as_deref(), Some(&b"SELECT `\\`, 0"[..]));
        assert_eq!(shape_of(b"SELECT 1", Dialect { ascii_in_wide: true, ..ansi }), None);
        assert_eq!(shape_of(&[b' '; MAX + 1], ansi), None);
    }

    // What the cache of familiar statements rests on.
    fn says_the_same(sql: &[u8], dialect: Dialect) -> Result<(), TestCaseError> {
        let Some(shape) = shape_of(sql, dialect) else { return Ok(()) };
        let shown = String::from_utf8_lossy(sql);
        prop_assert_eq!(shape_of(&shape, dialect), Some(shape.clone()), "{}", shown);
        prop_assert_eq!(fingerprint(sql), fingerprint(&shape), "{}", shown);
        prop_assert_eq!(digest(sql), digest(&shape), "{}", shown);
        if depends_on_no_literal(&summary(&shape, dialect)) {
            prop_assert_eq!(summary(sql, dialect), summary(&shape, dialect), "{}", shown);
        }
        Ok(())
    }

    fn dialects() -> impl Strategy<Value = Dialect> {
        let versions = prop_oneof![Just(0), Just(50_624), Just(80_036), Just(90_704), Just(101_119)];
        (any::<bool>(), any::<bool>(), any::<bool>(), versions).prop_map(
            |(ansi_quotes, no_backslash_escapes, mariadb, version)| Dialect {
                ansi_quotes,
                no_backslash_escapes,
                ascii_in_wide: false,
                high_space: 0,
                mariadb,
                version,
            },
        )
    }

    const HEADS: [&str; 16] = [
        "SELECT ",
        "select `a`, ",
        "INSERT INTO t (a, b) VALUES (",
        "insert t values row(",
        "REPLACE t SELECT ",
        "UPDATE t SET a = ",
        "DELETE FROM t WHERE a IN (",
        "WITH a AS (SELECT 1) SELECT ",
        "SET STATEMENT a=1 FOR SELECT ",
        "(SELECT ",
        "BEGIN ",
        "COMMIT ",
        "SET @a := ",
        "SHOW VARIABLES LIKE ",
        "SELECT GET_LOCK(",
        "",
    ];

    const PIECES: [&str; 64] = [
        "1",
        "23",
        "4.5",
        ".5",
        "6.",
        "1e5",
        "1e+5",
        "1e",
        "0x1F",
        "0b01",
        "0x",
        "2nd",
        "'a'",
        "'it''s'",
        "''",
        "'1'",
        "'; XA'",
        "\"b\"",
        "\"c1\"",
        "`d`",
        "`e'1`",
        "`f``g`",
        "x'4D'",
        "b'01'",
        "_utf8'h'",
        "N'i'",
        "@j",
        "@'k'",
        "@`l`",
        "@@m",
        "@@n.o1",
        "p",
        "q1",
        "r.s",
        "t.5",
        "?",
        "NULL",
        "-",
        "+",
        "*",
        "/",
        "%",
        "=",
        ":=",
        ":",
        "(",
        ")",
        ",",
        ";",
        ".",
        "$$",
        "$a$",
        " ",
        "  ",
        "\n",
        "\t",
        " limit ",
        " in ",
        " order by a asc",
        " offset ",
        " values ",
        " row_count()",
        " into ",
        "\u{e9}",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_shape_says_what_its_statement_says(
            head in proptest::sample::select(&HEADS[..]),
            pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..14),
            dialect in dialects(),
        ) {
            says_the_same(format!("{head}{}", pieces.concat()).as_bytes(), dialect)?;
        }

        #[test]
        fn so_does_that_of_any_marks(tail in "[-'\"`\\\\/*!@.:;?#0-9exN$(),=\n a]{0,40}", dialect in dialects()) {
            says_the_same(format!("SELECT {tail}").as_bytes(), dialect)?;
            says_the_same(tail.as_bytes(), dialect)?;
        }

        #[test]
        fn any_bytes_have_one_or_none(sql in proptest::collection::vec(any::<u8>(), 0..60), dialect in dialects()) {
            says_the_same(&sql, dialect)?;
        }
    }
}
