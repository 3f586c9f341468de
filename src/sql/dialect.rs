//! What a statement's meaning depends on besides its bytes.

/// What changes the meaning of bytes: the session's SQL mode, and the server's kind and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// SQL mode ANSI_QUOTES: `".."` is an identifier.
    pub ansi_quotes: bool,
    /// SQL mode NO_BACKSLASH_ESCAPES: `\` is a byte like others.
    pub no_backslash_escapes: bool,
    /// The client's character set is one where `\` or a backtick may be the second byte of a character
    /// (big5, cp932, gb18030, gbk, sjis): where that could matter, the token is [`super::lexer::Kind::Broken`].
    pub ascii_in_wide: bool,
    /// A byte of 128 and more that is white space in the client's character set, which has one byte for each (0: none, or another
    /// kind of set). Outside of quotes it makes the token [`super::lexer::Kind::Broken`], and so does a byte of that kind behind
    /// `--`, which may begin a comment there. Seen alike on MariaDB 10.11, 11.8 and MySQL 5.6, 9.7.
    pub high_space: u8,
    /// The server is MariaDB.
    pub mariadb: bool,
    /// The server's version as in executable comments: 50624, 80036, 90704, 101119. 0: not known, all of them are code.
    pub version: u32,
}

impl Dialect {
    /// No mode, MySQL, no version known: as [`Dialect::default`], for constants.
    pub const PLAIN: Self = Self {
        ansi_quotes: false,
        no_backslash_escapes: false,
        ascii_in_wide: false,
        high_space: 0,
        mariadb: false,
        version: 0,
    };

    /// The dialect of a server that greets with this version (`8.0.36`, `5.5.5-10.11.19-MariaDB-log`), modes off.
    /// A text without a number gives version 0.
    pub fn of_server(version: &str) -> Self {
        let mariadb = version.to_ascii_lowercase().contains("mariadb");
        let own = version.strip_prefix("5.5.5-").filter(|_| mariadb).unwrap_or(version);
        let numbers =
            own.split(|byte: char| !byte.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0).min(99));
        let version = numbers.chain([0, 0]).take(3).fold(0, |version, number| version * 100 + number);
        Self { mariadb, version, ..Self::default() }
    }

    // `$$ .. $$` and `$tag$ .. $tag$`, with which MySQL quotes JavaScript.
    pub(super) fn has_dollar_quotes(self) -> bool {
        !self.mariadb && (self.version == 0 || self.version >= 80_032)
    }

    // `SELECT @:=1`
    pub(super) fn has_nameless_variable(self) -> bool {
        !self.mariadb && (1..50_700).contains(&self.version)
    }

    pub(super) fn knows_six_digits(self) -> bool {
        self.mariadb || self.version == 0 || self.version >= 80_000
    }

    // MariaDB leaves out what is meant for MySQL 5.7 and later.
    pub(super) fn runs(self, version: u32, for_mariadb: bool) -> bool {
        let for_mysql = self.mariadb && !for_mariadb && (50_700..=99_999).contains(&version);
        self.version == 0 || (version <= self.version && !for_mysql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_greeting() {
        let cases = [
            ("8.0.36", false, 80_036),
            ("9.7.4-commercial", false, 90_704),
            ("5.6.24-log", false, 50_624),
            ("5.5.5-10.11.19-MariaDB-0+deb12u1", true, 101_119),
            ("11.4.2-MariaDB", true, 110_402),
            ("5.5.5", false, 50_505),
            ("8.0", false, 80_000),
            ("", false, 0),
            ("x", false, 0),
            ("8.0.99999999999", false, 80_000),
        ];
        for (text, mariadb, version) in cases {
            let found = Dialect::of_server(text);
            assert_eq!((found.mariadb, found.version), (mariadb, version), "{text}");
        }
    }
}
