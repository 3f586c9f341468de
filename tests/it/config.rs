//! Proves that a bad config file is answered with all its errors, their lines and exit code 2, and that the sample file
//! is whole and works.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

#[path = "config/bad.rs"]
mod bad;
#[path = "config/command_line.rs"]
mod command_line;
#[path = "config/good.rs"]
mod good;
#[path = "config/sample.rs"]
mod sample;

/// A folder with a `proxy.toml`, in which the binary is run.
struct Site {
    folder: TempDir,
    env: Vec<(&'static str, &'static str)>,
}

impl Site {
    fn new(config: &str) -> Self {
        let site = Site::empty();
        site.file("proxy.toml", config);
        site
    }

    fn empty() -> Self {
        Site { folder: tempfile::tempdir().expect("a folder"), env: Vec::new() }
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(arguments)
            .current_dir(self.folder.path())
            .envs(self.env.iter().copied())
            .output()
            .expect("the binary runs")
    }

    /// Runs `check`, which must fail with exactly these errors (each without its `error: ./proxy.toml:`).
    #[track_caller]
    fn refused(&self, errors: &[&str]) {
        let output = self.run(&["check"]);
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        let mut expected: String = errors.iter().map(|error| format!("error: ./proxy.toml:{error}\n")).collect();
        expected += &match errors.len() {
            1 => "./proxy.toml: 1 error to correct\n".to_owned(),
            count => format!("./proxy.toml: {count} errors to correct\n"),
        };
        assert_eq!(stderr, expected);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
    }

    /// Runs `check`, which must succeed; gives stderr, where warnings stand.
    #[track_caller]
    fn accepted(&self) -> String {
        let output = self.run(&["check"]);
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        stderr
    }
}

/// `check` on this file's text fails with exactly these errors.
#[track_caller]
fn refused(config: &str, errors: &[&str]) {
    Site::new(config).refused(errors);
}

/// A certificate and its key, as PEM.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}
