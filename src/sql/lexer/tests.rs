use super::*;
use crate::sql::effects::statements;
use proptest::prelude::*;

const MYSQL: Dialect = Dialect { version: 80_036, ..Dialect::PLAIN };
const MARIADB: Dialect = Dialect { mariadb: true, version: 101_119, ..MYSQL };
const MYSQL56: Dialect = Dialect { version: 50_624, ..MYSQL };

fn texts(sql: &str, dialect: Dialect) -> Vec<(Kind, String)> {
    let text = |token: Token| (token.kind, sql[token.start..token.end].to_owned());
    Lexer::new(sql.as_bytes(), dialect).map(text).collect()
}

fn spaced(sql: &str, dialect: Dialect) -> String {
    let words: Vec<_> = texts(sql, dialect)
        .into_iter()
        .map(|(kind, text)| if kind == Kind::Broken { "BROKEN".into() } else { text })
        .collect();
    words.join(" ")
}

fn kinds(sql: &str, dialect: Dialect) -> Vec<Kind> {
    texts(sql, dialect).into_iter().map(|(kind, _)| kind).collect()
}

#[test]
fn each_token_has_its_kind() {
    let cases = [
        ("abc", Kind::Word),
        ("_a$1", Kind::Word),
        ("1a", Kind::Word),
        ("1e", Kind::Word),
        ("0xg", Kind::Word),
        ("0b2", Kind::Word),
        ("é", Kind::Word),
        ("1", Kind::Number),
        ("1.5", Kind::Number),
        (".5", Kind::Number),
        ("1.", Kind::Number),
        ("1e5", Kind::Number),
        ("1.5e-3", Kind::Number),
        ("0x1F", Kind::Number),
        ("0b01", Kind::Number),
        ("'a'", Kind::String),
        ("'a''b'", Kind::String),
        (r"'a\\'", Kind::String),
        (r"'a\'b'", Kind::String),
        (r#""a""b""#, Kind::String),
        ("x'4D'", Kind::String),
        ("B'01'", Kind::String),
        (r"'0123456789abcdefghijk\'lmnopqrstuvwxyz'", Kind::String),
        ("`a`", Kind::QuotedIdentifier),
        ("`a``b`", Kind::QuotedIdentifier),
        (r"`a\`", Kind::QuotedIdentifier),
        ("@a", Kind::UserVariable),
        ("@a.b$c", Kind::UserVariable),
        ("@`a b`", Kind::UserVariable),
        ("@'a'", Kind::UserVariable),
        ("@\"a\"", Kind::UserVariable),
        ("@@a", Kind::SystemVariable),
        ("@@global.a", Kind::SystemVariable),
        ("@@`global`.`a`", Kind::SystemVariable),
        (":=", Kind::Assign),
        (";", Kind::Semicolon),
        ("?", Kind::Placeholder),
        ("/*!", Kind::CodeOpen),
        ("/*!50100", Kind::CodeOpen),
        ("/*!080036", Kind::CodeOpen),
        ("+", Kind::Punct),
        ("@", Kind::Punct),
        (":", Kind::Punct),
        ("'a", Kind::Broken),
        ("`a", Kind::Broken),
        (r"'a\'", Kind::Broken),
        ("@'a", Kind::Broken),
        ("/* a", Kind::Broken),
        ("/*/", Kind::Broken),
        ("/*!99999 a", Kind::Broken),
    ];
    for (sql, kind) in cases {
        assert_eq!(texts(sql, MYSQL), [(kind, sql.to_owned())], "{sql}");
    }
}

#[test]
fn tokens_end_where_the_server_ends_them() {
    let cases = [
        ("a.b.5c", "a . b . 5c"),
        ("t.5", "t . 5"),
        ("5 .5", "5 .5"),
        ("1.a", "1. a"),
        ("1.e", "1. e"),
        ("1e+5a", "1e+5 a"),
        ("a:=1", "a := 1"),
        ("5--3", "5 - - 3"),
        ("5 -- 3", "5"),
        ("5--", "5"),
        ("5 --\t3\n4", "5 4"),
        ("1#2\n3", "1 3"),
        ("a/*b*/c", "a c"),
        ("a/**/b", "a b"),
        ("/***/a", "a"),
        ("'a''b' 'c'", "'a''b' 'c'"),
        ("'a' 'b", "'a' BROKEN"),
        ("a*/b", "a * / b"),
        ("'root'@'%'", "'root' @'%'"),
        ("x 'a'", "x 'a'"),
        ("_utf8'a'", "_utf8 'a'"),
        ("a@b", "a @b"),
        ("select@a", "select @a"),
        ("`a``b```", "`a``b```"),
        ("'\\\\' 'x'", "'\\\\' 'x'"),
        ("/*! a */ b", "/*! a */ b"),
        ("/*!50100 a*/b", "/*!50100 a */ b"),
        ("/*!99999 a*/b", "b"),
        ("/*!99999 a /* b */ c */ d", "d"),
        ("/*! a /* b */ c */ d", "/*! a c */ d"),
        ("/*!1234 a*/", "/*! 1234 a */"),
        ("/*M! a */ b", "b"),
        ("/*!080036a*/", "/*!080036 a */"),
        ("/*+ a */b", "b"),
    ];
    for (sql, expected) in cases {
        assert_eq!(spaced(sql, MYSQL), expected, "{sql}");
    }
}

#[test]
fn whoever_begins_in_the_middle_reads_the_same() {
    let sql = "/*!40101 SET NAMES utf8 */; /* a */ SELECT 2 /*! */ */*b*/ FROM t; /*!1 SELECT 1";
    for dialect in [MYSQL, MARIADB] {
        let read = |from| {
            let lexer = within(sql.as_bytes(), from, sql.len(), dialect);
            lexer.map(|token| (token.kind, token.start, token.end)).collect::<Vec<_>>()
        };
        let all = read(0);
        for (n, (_, start, _)) in all.iter().enumerate() {
            assert_eq!(read(*start), all[n..], "from {start}");
        }
    }
}

/// Reads a part as one who has read the whole from its first byte, by doing so.
fn within(sql: &[u8], start: usize, end: usize, dialect: Dialect) -> Lexer<'_> {
    let mut before = Lexer::new(&sql[..end], dialect);
    let mut in_code = false;
    while before.next().is_some_and(|token| token.start < start) {
        in_code = before.in_code();
    }
    Lexer::part(sql, start, end, in_code, dialect)
}

fn check_statements(sql: &[u8], dialect: Dialect) -> Result<(), TestCaseError> {
    for statement in statements(sql, dialect) {
        let own = statement.tokens(sql, dialect).collect::<Vec<_>>();
        let read = within(sql, statement.span.start, statement.span.end, dialect).collect::<Vec<_>>();
        prop_assert_eq!(own, read, "{:?} of {}", statement.span, String::from_utf8_lossy(sql));
    }
    Ok(())
}

#[test]
fn a_statement_is_read_alone_as_within_its_text() {
    for sql in [
        "/*!40101 SET @a = 1; SET @b = 2 */; SET @c = 3 */ 4",
        "/*! SELECT 1; */ SELECT 2 */ 3; /*!99999 SELECT 4; */ SELECT 5",
        "/*!;;*/ /*! */ /*!SELECT 1 /* ; */; SELECT 2 */*/ 3",
        "/*M! SET STATEMENT a = 1 FOR SELECT 1; SET ROLE a */, b = 1; SET PASSWORD = 'x' */, c := 2",
        "/*!CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2 */; END",
        "SELECT '/*!'; SELECT 1 */ 2; -- /*!\nSELECT 3 */ 4; SELECT `/*!` */ 5",
    ] {
        for dialect in [MYSQL, MARIADB, MYSQL56] {
            check_statements(sql.as_bytes(), dialect).expect(sql);
        }
    }
}

#[test]
fn executable_comments_follow_the_server() {
    assert_eq!(spaced("/*M! a */ b", MARIADB), "/*M! a */ b");
    assert_eq!(spaced("/*M!100100 a */ b", MARIADB), "/*M!100100 a */ b");
    assert_eq!(spaced("/*M!120000 a */ b", MARIADB), "b");
    assert_eq!(spaced("/*!50701 a */ b", MARIADB), "b");
    assert_eq!(spaced("/*M!50701 a */ b", MARIADB), "/*M!50701 a */ b");
    assert_eq!(spaced("/*!50699 a */ b", MARIADB), "/*!50699 a */ b");
    assert_eq!(spaced("/*!100100 a */ b", MARIADB), "/*!100100 a */ b");
    assert_eq!(spaced("/*!100100 a */ b", MYSQL56), "/*!10010 0 a */ b");
    assert_eq!(spaced("/*!80000 a */ b", MYSQL56), "b");
    assert_eq!(spaced("/*!99999 a */ b", Dialect { version: 0, ..MYSQL }), "/*!99999 a */ b");
}

#[test]
fn modes_change_what_a_quote_is() {
    let ansi = Dialect { ansi_quotes: true, ..MYSQL };
    let plain = Dialect { no_backslash_escapes: true, ..MYSQL };
    assert_eq!(kinds(r#""a\" b"#, ansi), [Kind::QuotedIdentifier, Kind::Word]);
    assert_eq!(kinds(r"'a\' b", plain), [Kind::String, Kind::Word]);
    assert_eq!(kinds(r"'a\' b", MYSQL), [Kind::Broken]);
    assert_eq!(kinds(r"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\' b", plain), [Kind::String, Kind::Word]);
}

#[test]
fn what_a_wide_character_set_leaves_open_is_broken() {
    let wide = Dialect { ascii_in_wide: true, ..MYSQL };
    let sql = b"'\x95\\' or 1".as_slice();
    assert_eq!(Lexer::new(sql, wide).map(|token| token.kind).collect::<Vec<_>>(), [Kind::Broken]);
    assert_eq!(
        Lexer::new(b"'\x95a' b".as_slice(), wide).map(|token| token.kind).collect::<Vec<_>>(),
        [Kind::String, Kind::Word]
    );
    assert_eq!(Lexer::new(b"a\x95|b".as_slice(), wide).map(|token| token.kind).collect::<Vec<_>>(), [Kind::Broken]);
}

#[test]
fn white_space_of_a_character_set_is_broken() {
    let latin = Dialect { high_space: 0xA0, ..MYSQL };
    let kinds = |sql: &[u8]| Lexer::new(sql, latin).map(|token| token.kind).collect::<Vec<_>>();
    for sql in [&b"INTO\xA0@x"[..], b"5\xA0INTO @x", b"@@warning_count\xA0", b"@x\xA0", b"0x1\xA0", b"\xA0"] {
        assert_eq!(*kinds(sql).last().expect("a token"), Kind::Broken, "{sql:?}");
    }
    assert_eq!(kinds(b"1 --\x85'\n"), [Kind::Number, Kind::Broken]);
    assert_eq!(
        kinds(b"gr\xF6\xDFe '\xA0' `\xA0` /*\xA0*/ -- \xA0"),
        [Kind::Word, Kind::String, Kind::QuotedIdentifier]
    );
    let utf8 = Lexer::new(b"\xC3\xA0\xC2\xA0 --\xC3", MYSQL).map(|token| token.kind).collect::<Vec<_>>();
    assert_eq!(utf8, [Kind::Word, Kind::Punct, Kind::Punct, Kind::Word]);
}

#[test]
fn a_variable_without_a_name_is_broken_where_there_may_be_one() {
    assert_eq!(kinds("SELECT @:=1", Dialect { version: 50_624, ..MYSQL }), [Kind::Word, Kind::Broken]);
    assert_eq!(kinds("@ 1", MARIADB), [Kind::Punct, Kind::Number]);
}

// The body of a JavaScript function is not SQL: what stands in it is not read.
#[test]
fn dollar_quotes_are_broken_where_the_server_has_them() {
    let new = Dialect { version: 90_704, ..MYSQL };
    assert_eq!(kinds("AS $$ ' $$", new), [Kind::Word, Kind::Broken]);
    assert_eq!(kinds("AS $a$ x $a$", new), [Kind::Word, Kind::Broken]);
    assert_eq!(kinds("a$$b $c", new), [Kind::Word, Kind::Word]);
    assert_eq!(kinds("$$ a $$", MARIADB), [Kind::Word, Kind::Word, Kind::Word]);
}

#[test]
fn a_host_is_no_user_variable() {
    assert_eq!(kinds("'root'@'localhost'", MYSQL), [Kind::String, Kind::Host]);
    assert_eq!(kinds("root@localhost", MYSQL), [Kind::Word, Kind::Host]);
    assert_eq!(kinds("=@a", MYSQL), [Kind::Punct, Kind::UserVariable]);
}

proptest! {
    #[test]
    fn any_bytes_give_ordered_tokens(sql in proptest::collection::vec(any::<u8>(), 0..200), ansi: bool, plain: bool, wide: bool, high_space: u8, mariadb: bool, version in 0u32..120_000) {
        let dialect = Dialect { ansi_quotes: ansi, no_backslash_escapes: plain, ascii_in_wide: wide, high_space, mariadb, version };
        check_order(&sql, dialect)?;
    }

    #[test]
    fn any_marks_give_ordered_tokens(sql in "[-'\"`\\\\/*!M@.:;?#0-9ex\n a]{0,60}", mariadb: bool, version in 0u32..120_000) {
        check_order(sql.as_bytes(), Dialect { mariadb, version, ..Dialect::default() })?;
    }
}

proptest! {
    #[test]
    fn any_statement_is_read_alone_as_within_its_text(
        sql in "(/\\*!|/\\*M!|/\\*!99999|/\\*|\\*/|\\*|;|'|--|\\n| |set|statement|for|select|role|create|procedure|@a|=|:=|1|\\.5|,){0,24}",
        mariadb: bool,
        version in 0u32..120_000,
    ) {
        check_statements(sql.as_bytes(), Dialect { mariadb, version, ..Dialect::default() })?;
    }
}

fn check_order(sql: &[u8], dialect: Dialect) -> Result<(), TestCaseError> {
    let mut at = 0;
    for token in Lexer::new(sql, dialect) {
        prop_assert!(at <= token.start && token.start < token.end && token.end <= sql.len());
        prop_assert!(token.kind != Kind::Broken || token.end == sql.len());
        at = token.end;
    }
    Ok(())
}
