//! What is wrong with a config file, and what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

/// What is wrong with one value. Values of secrets are never part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, such as `is 0, must be at least 1`.
    pub what: String,
    /// What to do about it, such as `write a whole number from 1 to 100000`.
    pub instead: String,
}

impl Fault {
    /// A fault from its two halves.
    pub fn new(what: impl Into<String>, instead: impl Into<String>) -> Self {
        Fault { what: what.into(), instead: instead.into() }
    }
}

/// One fault, with the place in the file where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line in the file, from 1; `None` where nothing in the file can be pointed at.
    pub line: Option<usize>,
    /// The key's path, such as `pool.size` or `user[1].name` (the first `[[user]]`); empty for the file as a whole.
    pub path: String,
    /// What is wrong there.
    pub fault: Fault,
}

impl Problem {
    /// The problem in one line, with the file's name, the line and the key path in front.
    pub fn describe(&self, file: &Path) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}: {self}", file.display())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}; {}", self.fault.what, self.fault.instead)
    }
}

/// A config file that cannot be used: every error in it, and its warnings besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The file.
    pub file: PathBuf,
    /// What must be changed, in the file's order; at least one.
    pub errors: Vec<Problem>,
    /// What should be looked at.
    pub warnings: Vec<Problem>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(f, "error: {}", error.describe(&self.file))?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {}", warning.describe(&self.file))?;
        }
        let (name, count) = (self.file.display(), self.errors.len());
        match count {
            1 => write!(f, "{name}: 1 error to correct"),
            _ => write!(f, "{name}: {count} errors to correct"),
        }
    }
}

impl std::error::Error for Rejected {}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: Option<usize>, path: &str) -> Problem {
        Problem { line, path: path.to_owned(), fault: Fault::new("is 0", "write 1") }
    }

    #[test]
    fn a_problem_names_file_line_and_key() {
        let file = Path::new("proxy.toml");
        assert_eq!(problem(Some(4), "pool.size").describe(file), "proxy.toml:4: pool.size: is 0; write 1");
        assert_eq!(problem(None, "").describe(file), "proxy.toml: is 0; write 1");
    }

    #[test]
    fn all_are_printed_errors_first_and_counted() {
        let rejected = Rejected {
            file: "p.toml".into(),
            errors: vec![problem(Some(1), "a"), problem(Some(2), "b")],
            warnings: vec![problem(None, "c")],
        };
        assert_eq!(
            rejected.to_string(),
            "error: p.toml:1: a: is 0; write 1\nerror: p.toml:2: b: is 0; write 1\n\
             warning: p.toml: c: is 0; write 1\np.toml: 2 errors to correct"
        );
    }
}
