//! Temporary folders that take their processes with them, however the test process ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{fs, io};

use std::os::unix::process::CommandExt;

/// A temporary folder. It is removed, and the processes that were started in it are killed, when this value is
/// dropped or when the test process dies: a small `guard` process waits for the end of a pipe that only this
/// process holds open.
pub struct Scratch {
    path: PathBuf,
    guard: Child,
}

impl Scratch {
    /// A new, empty folder. A Unix socket in it has a path short enough for the kernel.
    pub fn new() -> Scratch {
        let folder = tempfile::Builder::new().prefix("tidegate-it-").tempdir();
        let path = folder.expect("a temporary folder").keep();
        let guard = Command::new(script("guard"))
            .arg(&path)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("tests/servers/guard");
        Scratch { path, guard }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command for `program` that the guard knows under `name`, with its output in `NAME.out`; the folder is its
    /// current one. Its arguments must contain the folder's path (the guard recognises the process by it).
    pub fn command(&self, name: &str, program: impl AsRef<Path>) -> Command {
        let output = fs::OpenOptions::new().create(true).append(true).open(self.path.join(format!("{name}.out")));
        let output = output.expect("an output file");
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"echo $$ >"$0"; exec "$@""#])
            .arg(self.path.join(format!("{name}.pid")))
            .arg(program.as_ref())
            .current_dir(&self.path)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("an output file"))
            .stderr(output)
            .process_group(0);
        command
    }

    /// What the process started under `name` has written.
    pub fn output(&self, name: &str) -> String {
        read(&self.path.join(format!("{name}.out")))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A script of `tests/servers`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(name)
}

/// A text file, or nothing where there is none yet.
pub fn read(path: &Path) -> String {
    match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// Sends the signal (`"TERM"`, `"STOP"`, `"USR1"`) to a process that this test process started.
pub fn signal(pid: u32, name: &str) {
    let command = format!("kill -{name} {pid}");
    let status = Command::new("sh").args(["-c", &command]).status();
    assert!(status.is_ok_and(|status| status.success()), "{command}");
}
