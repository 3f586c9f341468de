//! `tidegate simulate`: what it predicts is what happens, it stands on the pool's own core, and it answers bad input in one line.

mod command_line;
mod core;
mod sessions;
mod truth;

use std::path::Path;

use serde_json::Value;

use crate::tidegate::run;

/// What the command says, as JSON.
fn simulated(trace: &Path, arguments: &[&str]) -> Value {
    let trace = trace.display().to_string();
    let output = run(&[&["simulate", &trace, "--json", "-"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
