//! Which file is read, and what the exit code says.

use std::path::Path;

use super::Site;

#[test]
fn a_named_file_is_read_on_either_side_of_the_command() {
    let site = Site::new("[pool]\nsize = 0\n");
    site.file("other.toml", "");
    for arguments in [["check", "-c", "other.toml"], ["-c", "other.toml", "check"], ["check", "--config", "other.toml"]]
    {
        assert_eq!(site.run(&arguments).status.code(), Some(0), "{arguments:?}");
    }
    assert_eq!(site.run(&["check"]).status.code(), Some(2));
}

#[test]
fn a_named_file_that_is_missing_is_an_error_of_config() {
    let output = Site::empty().run(&["-c", "nowhere.toml"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stderr,
        "error: nowhere.toml: there is no such file; correct the path\nnowhere.toml: 1 error to correct\n"
    );
}

#[test]
fn without_a_file_the_usual_places_are_named() {
    // On a machine where tidegate is installed, its own file is found instead.
    let installed = Path::new("/etc/tidegate/proxy.toml").exists();
    let output = Site::empty().run(&["check"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let begins = "no config file: neither ./proxy.toml nor /etc/tidegate/proxy.toml exists.\nMake one: ";
    assert_eq!(stderr.starts_with(begins), !installed, "{stderr}");
    assert!(installed || output.status.code() == Some(2));
}

#[test]
fn the_version_and_the_commands_are_told() {
    let site = Site::empty();
    let version = site.run(&["--version"]);
    assert_eq!(String::from_utf8_lossy(&version.stdout), format!("tidegate {}\n", env!("CARGO_PKG_VERSION")));
    let help = site.run(&["--help"]);
    let help = String::from_utf8_lossy(&help.stdout);
    for word in ["serve", "check", "--config"] {
        assert!(help.contains(word), "{word} in {help}");
    }
}

#[test]
fn an_unknown_command_is_refused() {
    let output = Site::empty().run(&["sevre"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("serve"), "{stderr}");
}

#[test]
fn files_that_are_no_text_are_refused() {
    let site = Site::empty();
    site.file("proxy.toml", [0xff, 0xfe]);
    site.refused(&[" the file is not UTF-8; save it as UTF-8 text"]);
}
