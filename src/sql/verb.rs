//! What kind of statement its first words make it.

use super::assign::{Assignment, Scope, Span, Target, assignments};
use super::dialect::Dialect;
use super::flags::Flags;
use super::lexer::{Kind, Lexer, Token};
use super::word::{key, pack};

/// The kind of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Verb {
    /// No statement.
    #[default]
    Empty,
    /// SELECT, TABLE, VALUES, also in parentheses or after WITH.
    Select,
    /// INSERT.
    Insert,
    /// REPLACE.
    Replace,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// WITH whose statement was not found.
    With,
    /// LOAD DATA, LOAD XML.
    LoadData,
    /// SHOW, HELP.
    Show,
    /// EXPLAIN, DESCRIBE, DESC.
    Explain,
    /// SET.
    Set,
    /// USE.
    Use,
    /// BEGIN, START TRANSACTION.
    Begin,
    /// COMMIT.
    Commit,
    /// ROLLBACK of the whole transaction.
    Rollback,
    /// SAVEPOINT, ROLLBACK TO, RELEASE SAVEPOINT.
    Savepoint,
    /// XA.
    Xa,
    /// CALL.
    Call,
    /// DO.
    Do,
    /// KILL.
    Kill,
    /// PREPARE.
    Prepare,
    /// EXECUTE.
    Execute,
    /// DEALLOCATE PREPARE, DROP PREPARE.
    Deallocate,
    /// HANDLER.
    Handler,
    /// LOCK, UNLOCK, BACKUP.
    Lock,
    /// FLUSH.
    Flush,
    /// GET DIAGNOSTICS.
    Diagnostics,
    /// CREATE, ALTER, DROP, RENAME, TRUNCATE of objects.
    Ddl,
    /// Accounts and privileges.
    Account,
    /// Maintenance and replication: ANALYZE, CHANGE MASTER, INSTALL, PURGE ..
    Admin,
    /// A compound statement.
    Compound,
    /// SIGNAL.
    Signal,
    /// RESIGNAL.
    Resignal,
    /// None of these.
    Unknown,
}

impl Verb {
    /// Kinds that read only, if nothing in them says otherwise.
    pub fn reads(self) -> bool {
        matches!(self, Self::Select | Self::Show | Self::Explain)
    }
}

/// What the first words say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub verb: Verb,
    pub flags: Flags,
}

const fn head_of(verb: Verb, flags: Flags) -> Head {
    Head { verb, flags }
}

/// The kind of the statement whose first token `lexer` has just read, and the flags that its first words give.
#[inline]
pub(super) fn head(lexer: &Lexer<'_>, first: Token) -> Head {
    let sql = lexer.sql();
    if first.kind != Kind::Word {
        return not_a_word(lexer, first);
    }
    match key(sql, first.start, first.end) {
        SELECT | VALUES => head_of(Verb::Select, Flags::NONE),
        INSERT => head_of(Verb::Insert, Flags::NONE),
        UPDATE => head_of(Verb::Update, Flags::NONE),
        DELETE => head_of(Verb::Delete, Flags::NONE),
        REPLACE => head_of(Verb::Replace, Flags::NONE),
        WITH => head_of(Verb::With, Flags::NONE),
        SET => set(lexer),
        other => Words { lexer: lexer.clone() }.head(other, &sql[first.start..first.end]),
    }
}

// `(SELECT ..)`, `((SELECT ..) UNION ..)`
fn not_a_word(lexer: &Lexer<'_>, first: Token) -> Head {
    let sql = lexer.sql();
    let mut rest = lexer.clone();
    let mut token = Some(first);
    while token.is_some_and(|token| sql[token.start] == b'(' || token.kind == Kind::CodeOpen) {
        token = rest.next();
    }
    match token.map(|token| key(sql, token.start, token.end)) {
        Some(SELECT | VALUES | TABLE | WITH) => head_of(Verb::Select, Flags::NONE),
        _ => head_of(Verb::Unknown, Flags::UNEXPLAINED),
    }
}

// Reads the words at a statement's beginning.
struct Words<'a> {
    lexer: Lexer<'a>,
}

impl Words<'_> {
    fn code(&mut self) -> Option<Token> {
        let token = self.lexer.find(|token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose))?;
        (token.kind != Kind::Semicolon).then_some(token)
    }

    // The next word's key; 0 for the end, for long words and for what is no word.
    fn word(&mut self) -> u64 {
        let token = self.code().filter(|token| token.kind == Kind::Word);
        token.map_or(0, |token| key(self.lexer.sql(), token.start, token.end))
    }

    // Whether one of the next `most` tokens is this word.
    fn soon(&self, most: usize, word: &str) -> bool {
        let sql = self.lexer.sql();
        let mut words = Words { lexer: self.lexer.clone() };
        let tokens = std::iter::from_fn(|| words.code()).take(most);
        tokens
            .filter(|token| token.kind == Kind::Word)
            .any(|token| sql[token.start..token.end].eq_ignore_ascii_case(word.as_bytes()))
    }

    fn anywhere(&self, word: &str) -> bool {
        self.soon(usize::MAX, word)
    }

    fn head(&mut self, word: u64, text: &[u8]) -> Head {
        let commits = Flags::IMPLICIT_COMMIT;
        match word {
            SHOW | HELP => head_of(Verb::Show, Flags::NONE),
            EXPLAIN | DESCRIBE | DESC => head_of(Verb::Explain, Flags::NONE),
            TABLE => head_of(Verb::Select, Flags::NONE),
            BEGIN => self.begin(),
            START => self.start(),
            COMMIT => self.end_of_transaction(Verb::Commit),
            ROLLBACK if self.soon(2, "to") => head_of(Verb::Savepoint, Flags::SAVEPOINT),
            ROLLBACK => self.end_of_transaction(Verb::Rollback),
            RELEASE => head_of(Verb::Savepoint, Flags::SAVEPOINT),
            USE => head_of(Verb::Use, Flags::USES_SCHEMA),
            XA => self.xa(),
            CALL => head_of(Verb::Call, Flags::CALLS),
            DO => head_of(Verb::Do, Flags::NONE),
            KILL => head_of(Verb::Kill, Flags::KILLS),
            PREPARE => head_of(Verb::Prepare, Flags::PREPARES),
            EXECUTE if self.soon(1, "immediate") => head_of(Verb::Execute, Flags::EXECUTE_IMMEDIATE),
            EXECUTE => head_of(Verb::Execute, Flags::EXECUTES),
            HANDLER => self.handler(),
            LOCK => self.lock(),
            UNLOCK => self.unlock(),
            BACKUP => self.backup(),
            FLUSH => self.flush(),
            GET => head_of(Verb::Diagnostics, Flags::READS_DIAGNOSTICS),
            LOAD => self.load(),
            CREATE => self.create(),
            DROP => self.drop(),
            ALTER => self.alter(),
            RENAME if self.soon(1, "user") => head_of(Verb::Account, Flags::CREDENTIALS | commits),
            RENAME => head_of(Verb::Ddl, Flags::RENAMES_TABLE | commits),
            GRANT | REVOKE => head_of(Verb::Account, Flags::CREDENTIALS | commits),
            ANALYZE if !self.soon(2, "table") && !self.soon(2, "tables") => head_of(Verb::Unknown, Flags::UNEXPLAINED),
            SIGNAL => head_of(Verb::Signal, Flags::NONE),
            RESIGNAL => head_of(Verb::Resignal, Flags::NONE),
            ANALYZE | REPAIR | CHECK | CHECKSUM | INSTALL | CHANGE | STOP | RESET | PURGE | SHUTDOWN | RESTART
            | CLONE | CACHE | OPTIMIZE => head_of(Verb::Admin, commits),
            IF | CASE | LOOP | WHILE | REPEAT | DECLARE => compound(),
            _ => long(text),
        }
    }

    fn begin(&mut self) -> Head {
        match self.code() {
            None => head_of(Verb::Begin, Flags::BEGINS | Flags::IMPLICIT_COMMIT),
            Some(token) if key(self.lexer.sql(), token.start, token.end) == WORK => {
                head_of(Verb::Begin, Flags::BEGINS | Flags::IMPLICIT_COMMIT)
            }
            Some(_) => compound(),
        }
    }

    fn start(&mut self) -> Head {
        match self.soon(1, "transaction") {
            true => head_of(Verb::Begin, Flags::BEGINS | Flags::IMPLICIT_COMMIT),
            false => head_of(Verb::Admin, Flags::IMPLICIT_COMMIT),
        }
    }

    // [WORK] [AND [NO] CHAIN] [[NO] RELEASE]
    fn end_of_transaction(&mut self, verb: Verb) -> Head {
        let mut flags = Flags::ENDS;
        let mut before = 0;
        loop {
            let word = self.word();
            flags |= match word {
                CHAIN if before != NO => Flags::CHAINS,
                RELEASE if before != NO => Flags::DISCONNECTS,
                WORK | AND | NO | CHAIN | RELEASE => Flags::NONE,
                0 => return head_of(verb, flags),
                _ => Flags::UNEXPLAINED,
            };
            before = word;
        }
    }

    fn xa(&mut self) -> Head {
        let flags = match self.word() {
            START | BEGIN => Flags::XA_START,
            END => Flags::XA_END,
            PREPARE => Flags::XA_PREPARE,
            COMMIT | ROLLBACK => Flags::XA_FINISH,
            RECOVER => Flags::NONE,
            _ => Flags::UNEXPLAINED,
        };
        head_of(Verb::Xa, flags)
    }

    // HANDLER name OPEN .. | READ .. | CLOSE
    fn handler(&mut self) -> Head {
        self.code();
        let sql = self.lexer.sql();
        let mut word = self.code();
        if word.is_some_and(|token| sql[token.start] == b'.') {
            self.code();
            word = self.code();
        }
        let flags = match word.map_or(0, |token| key(sql, token.start, token.end)) {
            OPEN => Flags::HANDLER_OPEN,
            READ => Flags::HANDLER_READ,
            CLOSE => Flags::HANDLER_CLOSE,
            _ => Flags::UNEXPLAINED,
        };
        head_of(Verb::Handler, flags)
    }

    fn lock(&mut self) -> Head {
        let flags = match self.word() {
            TABLE | TABLES if self.soon(1, "for") => Flags::GLOBAL_LOCK,
            TABLE | TABLES => Flags::LOCKS_TABLES,
            INSTANCE | BINLOG => Flags::GLOBAL_LOCK,
            _ => Flags::UNEXPLAINED,
        };
        head_of(Verb::Lock, flags | Flags::IMPLICIT_COMMIT)
    }

    fn unlock(&mut self) -> Head {
        let flags = match self.word() {
            TABLE | TABLES => Flags::UNLOCKS_TABLES,
            INSTANCE | BINLOG => Flags::GLOBAL_UNLOCK,
            _ => Flags::UNEXPLAINED,
        };
        head_of(Verb::Lock, flags | Flags::IMPLICIT_COMMIT)
    }

    fn backup(&mut self) -> Head {
        let flags = match self.word() {
            STAGE if self.soon(1, "end") => Flags::GLOBAL_UNLOCK,
            STAGE | LOCK => Flags::GLOBAL_LOCK,
            UNLOCK => Flags::GLOBAL_UNLOCK,
            _ => Flags::UNEXPLAINED,
        };
        head_of(Verb::Lock, flags)
    }

    fn flush(&mut self) -> Head {
        let mut flags = Flags::IMPLICIT_COMMIT;
        if self.anywhere("lock") || self.anywhere("export") {
            flags |= Flags::GLOBAL_LOCK;
        }
        if self.anywhere("privileges") {
            flags |= Flags::CREDENTIALS;
        }
        if self.anywhere("status") {
            flags |= Flags::SESSION_COUNTERS;
        }
        head_of(Verb::Flush, flags)
    }

    fn load(&mut self) -> Head {
        let local = if self.soon(4, "local") { Flags::LOCAL_INFILE } else { Flags::NONE };
        match self.word() {
            DATA | XML => head_of(Verb::LoadData, local),
            INDEX => head_of(Verb::Admin, Flags::IMPLICIT_COMMIT),
            _ => head_of(Verb::Unknown, Flags::UNEXPLAINED),
        }
    }

    fn create(&mut self) -> Head {
        const SEEN: usize = 16;
        const PROGRAMS: [&str; 5] = ["procedure", "function", "trigger", "event", "package"];
        let commits = Flags::IMPLICIT_COMMIT;
        let before_name = if self.soon(2, "or") { 3 } else { 1 };
        if self.soon(before_name, "temporary") {
            return head_of(Verb::Ddl, Flags::CREATES_TEMPORARY);
        }
        if self.soon(before_name, "user") || self.soon(before_name, "role") {
            return head_of(Verb::Account, Flags::CREDENTIALS | commits);
        }
        if self.soon(before_name, "table") {
            return head_of(Verb::Ddl, commits);
        }
        let program = PROGRAMS.iter().any(|word| self.soon(SEEN, word));
        head_of(Verb::Ddl, if program { commits | Flags::STORED_PROGRAM } else { commits })
    }

    fn drop(&mut self) -> Head {
        let commits = Flags::IMPLICIT_COMMIT;
        match self.word() {
            TABLE | TABLES => head_of(Verb::Ddl, Flags::DROPS_TABLE | commits),
            PREPARE => head_of(Verb::Deallocate, Flags::DEALLOCATES),
            USER | ROLE => head_of(Verb::Account, Flags::CREDENTIALS | commits),
            DATABASE | SCHEMA => head_of(Verb::Ddl, Flags::DROPS_SCHEMA | commits),
            // TEMPORARY is too long for a key.
            0 if self.soon(1, "table") || self.soon(1, "tables") || self.soon(1, "sequence") => {
                head_of(Verb::Ddl, Flags::DROPS_TABLE)
            }
            _ => head_of(Verb::Ddl, commits),
        }
    }

    fn alter(&mut self) -> Head {
        let commits = Flags::IMPLICIT_COMMIT;
        let program = Flags::STORED_PROGRAM;
        match self.word() {
            USER | ROLE => head_of(Verb::Account, Flags::CREDENTIALS | commits),
            EVENT => head_of(Verb::Ddl, commits | program),
            _ if self.soon(6, "event") => head_of(Verb::Ddl, commits | program),
            _ if self.anywhere("rename") => head_of(Verb::Ddl, commits | Flags::RENAMES_TABLE),
            _ => head_of(Verb::Ddl, commits),
        }
    }
}

fn compound() -> Head {
    head_of(Verb::Compound, Flags::COMPOUND | Flags::UNEXPLAINED | Flags::STORED_PROGRAM)
}

fn long(text: &[u8]) -> Head {
    let is = |word: &str| text.eq_ignore_ascii_case(word.as_bytes());
    match text.len() {
        9 if is("savepoint") => head_of(Verb::Savepoint, Flags::SAVEPOINT),
        8 if is("truncate") => head_of(Verb::Ddl, Flags::IMPLICIT_COMMIT),
        10 if is("deallocate") => head_of(Verb::Deallocate, Flags::DEALLOCATES),
        9 if is("uninstall") => head_of(Verb::Admin, Flags::IMPLICIT_COMMIT),
        _ => head_of(Verb::Unknown, Flags::UNEXPLAINED),
    }
}

/// MariaDB's `SET STATEMENT a = 1 FOR ..`: reads up to FOR and gives the statement's own first token, and what the
/// values say; `None` (and nothing read) for anything else.
pub(super) fn set_statement(lexer: &mut Lexer<'_>, first: Token) -> Option<(Token, Flags)> {
    let sql = lexer.sql();
    let is_set = first.kind == Kind::Word && key(sql, first.start, first.end) == SET;
    let mut words = Words { lexer: lexer.clone() };
    if !is_set || !words.soon(1, "statement") {
        return None;
    }
    let mut flags = Flags::NONE;
    while let Some(token) = words.code() {
        match (token.kind, key(sql, token.start, token.end)) {
            (Kind::Word, FOR) => {
                let first = words.code()?;
                *lexer = words.lexer;
                return Some((first, flags));
            }
            // What the statement sets would not be told.
            (Kind::Word, _) if says_trackers(&sql[token.start..token.end]) => flags |= Flags::UNEXPLAINED,
            (Kind::Word | Kind::Number | Kind::String, _) => {}
            (Kind::Punct, _) if matches!(sql[token.start], b'=' | b',' | b'-') => {}
            _ => flags |= Flags::UNEXPLAINED,
        }
    }
    None
}

fn says_trackers(name: &[u8]) -> bool {
    name.get(..14).is_some_and(|start| start.eq_ignore_ascii_case(b"session_track_"))
}

fn set(lexer: &Lexer<'_>) -> Head {
    let words = Words { lexer: lexer.clone() };
    if words.soon(1, "statement") {
        return head_of(Verb::Set, Flags::UNEXPLAINED);
    }
    let mut flags = Flags::NONE;
    let mut any = false;
    for item in assignments(lexer.clone()) {
        any = true;
        flags |= assignment_flags(lexer.sql(), item);
    }
    head_of(Verb::Set, if any { flags } else { Flags::UNEXPLAINED })
}

fn assignment_flags(sql: &[u8], item: Assignment) -> Flags {
    match item.target {
        Target::User(_) if item.literal => Flags::SETS_USER_LITERAL,
        Target::User(_) => Flags::SETS_USER_OTHER,
        Target::Names | Target::CharacterSet => Flags::SETS_NAMES | wide(sql, item.value),
        Target::Password | Target::DefaultRole => Flags::CREDENTIALS,
        Target::Role => Flags::SETS_ROLE,
        Target::Transaction(Scope::Session) => Flags::SETS_SYSTEM,
        Target::Transaction(Scope::Global) | Target::System(Scope::Global, _) => Flags::SETS_GLOBAL,
        Target::Transaction(Scope::Bare) => Flags::SETS_NEXT_TRANSACTION,
        Target::System(scope, name) => system_flags(sql, scope, name, item),
        Target::Unknown => Flags::UNEXPLAINED,
    }
}

fn system_flags(sql: &[u8], scope: Scope, name: Span, item: Assignment) -> Flags {
    let expression = if item.literal { Flags::NONE } else { Flags::SETS_SYSTEM_EXPRESSION };
    let name = name.of(sql).to_ascii_lowercase();
    let name = name.strip_prefix(b"`").and_then(|name| name.strip_suffix(b"`")).unwrap_or(&name);
    let special = match name {
        b"autocommit" => Flags::SETS_AUTOCOMMIT,
        b"sql_mode" => Flags::SETS_LEXING,
        b"wait_timeout" | b"interactive_timeout" => Flags::SETS_WAIT_TIMEOUT,
        b"timestamp"
        | b"insert_id"
        | b"rand_seed1"
        | b"rand_seed2"
        | b"gtid_next"
        | b"gtid_seq_no"
        | b"skip_replication"
        | b"skip_parallel_replication"
        | b"last_insert_id"
        | b"identity" => Flags::SETS_FROZEN,
        b"transaction_isolation" | b"tx_isolation" | b"transaction_read_only" | b"tx_read_only"
            if scope == Scope::Bare =>
        {
            return Flags::SETS_NEXT_TRANSACTION | expression;
        }
        b"profiling"
        | b"optimizer_trace"
        | b"debug"
        | b"debug_sync"
        | b"debug_dbug"
        | b"pseudo_thread_id"
        | b"pseudo_slave_mode"
        | b"pseudo_replica_mode" => Flags::UNEXPLAINED,
        _ if name.starts_with(b"session_track_") => Flags::SETS_TRACKERS,
        _ if name.starts_with(b"character_set_") => wide(sql, item.value),
        _ if name.contains(&b'.') || name.starts_with(b"`") => Flags::UNEXPLAINED,
        _ => Flags::NONE,
    };
    Flags::SETS_SYSTEM | expression | special
}

// Character sets where `\` or a backtick may be the second byte; what is not a literal may be one of them.
fn wide(sql: &[u8], value: Span) -> Flags {
    const NARROW: [&[u8]; 7] = [b"utf8", b"latin", b"ascii", b"binary", b"default", b"ucs2", b"null"];
    let value = value.of(sql).to_ascii_lowercase();
    let value = value.strip_prefix(b"'").or(value.strip_prefix(b"\"")).unwrap_or(&value);
    if NARROW.iter().any(|narrow| value.starts_with(narrow)) { Flags::NONE } else { Flags::SETS_LEXING }
}

macro_rules! words {
    ($($name:ident $text:literal),* $(,)?) => { $(const $name: u64 = pack($text);)* };
}

words! {
    ALTER "alter", ANALYZE "analyze", AND "and", BACKUP "backup", BEGIN "begin", BINLOG "binlog", CACHE "cache", CALL "call", CASE "case",
    CHAIN "chain", CHANGE "change", CHECK "check", CHECKSUM "checksum", CLONE "clone", CLOSE "close", COMMIT "commit", CREATE "create",
    DATA "data", DATABASE "database", DECLARE "declare", DELETE "delete", DESC "desc", DESCRIBE "describe", DO "do", DROP "drop", END "end",
    EVENT "event", EXECUTE "execute", EXPLAIN "explain", FLUSH "flush", FOR "for", GET "get", GRANT "grant", HANDLER "handler", HELP "help", IF "if",
    INDEX "index", INSERT "insert", INSTALL "install", INSTANCE "instance", KILL "kill", LOAD "load", LOCK "lock", LOOP "loop", NO "no",
    OPEN "open", OPTIMIZE "optimize", PREPARE "prepare", PURGE "purge", READ "read", RECOVER "recover", RELEASE "release", RENAME "rename",
    REPAIR "repair", REPEAT "repeat", REPLACE "replace", RESET "reset", RESIGNAL "resignal", RESTART "restart", REVOKE "revoke", ROLE "role",
    ROLLBACK "rollback", SCHEMA "schema", SELECT "select", SET "set", SHOW "show", SHUTDOWN "shutdown", SIGNAL "signal", STAGE "stage",
    START "start", STOP "stop", TABLE "table", TABLES "tables", UNLOCK "unlock", UPDATE "update", USE "use", USER "user", VALUES "values",
    WHILE "while", WITH "with", WORK "work", XA "xa", XML "xml",
}
/// Whether the text has a `SET STATEMENT`.
pub fn says_set_statement(sql: &[u8], dialect: Dialect) -> bool {
    says(sql, dialect, b"set", b"statement")
}

/// Whether the text says NO RELEASE: the connection stays, whatever `completion_type` is.
pub fn says_no_release(sql: &[u8], dialect: Dialect) -> bool {
    says(sql, dialect, b"no", b"release")
}

// One word, and the other one behind it.
fn says(sql: &[u8], dialect: Dialect, first: &[u8], second: &[u8]) -> bool {
    let mut words = Lexer::new(sql, dialect).filter(|token| token.kind == Kind::Word);
    let mut is_begun = false;
    words.any(|token| {
        let word = &sql[token.start..token.end];
        std::mem::replace(&mut is_begun, word.eq_ignore_ascii_case(first)) && word.eq_ignore_ascii_case(second)
    })
}
