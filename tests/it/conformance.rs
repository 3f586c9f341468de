//! MariaDB's own regression tests pass through tidegate as they pass direct: a sample (`make conformance` runs them all).

use std::path::Path;
use std::process::Command;

use crate::crowd;

/// A third of it direct, the rest through tidegate.
const SECONDS: u64 = 170;

#[test]
fn a_sample_of_mariadbs_own_suite() {
    let seconds = crowd::duration(std::time::Duration::from_secs(SECONDS)).as_secs().to_string();
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/run");
    let output = Command::new(run)
        .args(["--tidegate", crate::tidegate::binary(), "--mode", &crowd::mode(), "--seconds", &seconds])
        .output()
        .expect("python3");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}:\n{said}", output.status);
    assert!(said.contains("through tidegate: "), "{said}");
    println!("{said}");
}
