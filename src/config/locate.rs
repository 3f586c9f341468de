//! Which config file is used.

use std::path::{Path, PathBuf};

/// Where the config file is looked for, in this order, if none is named.
pub const PLACES: &[&str] = &["./proxy.toml", "/etc/tidegate/proxy.toml"];

/// No file was named, and none is at the usual places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no config file: neither {} exists.\n\
     Make one: put these two lines into ./proxy.toml, with your server's address,\n\n\
     [backend]\naddress = \"127.0.0.1:3306\"\n\n\
     or name your file with -c FILE.",
    .places.join(" nor ")
)]
pub struct NotFound {
    /// Where it was looked for.
    pub places: Vec<String>,
}

/// The file that was named, else the first of `places` that exists.
///
/// # Errors
/// None was named and none exists.
pub fn locate(named: Option<PathBuf>, places: &[&str]) -> Result<PathBuf, NotFound> {
    let usual = || places.iter().find(|place| Path::new(place).exists());
    named
        .or_else(|| usual().map(PathBuf::from))
        .ok_or_else(|| NotFound { places: places.iter().map(|place| (*place).to_owned()).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_file_wins_even_if_it_is_missing() {
        let named = Some(PathBuf::from("/nowhere/x.toml"));
        assert_eq!(locate(named.clone(), &[]).ok(), named);
    }

    #[test]
    fn the_first_that_exists_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let there = folder.path().join("there.toml");
        std::fs::write(&there, "").expect("written");
        let places = ["/nowhere/x.toml", there.to_str().expect("UTF-8")];
        assert_eq!(locate(None, &places), Ok(there.clone()));
    }

    #[test]
    fn where_it_was_looked_for_and_how_to_make_one_are_said() {
        let error = locate(None, &["/nowhere/a", "/nowhere/b"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no config file: neither /nowhere/a nor /nowhere/b exists.\n\
             Make one: put these two lines into ./proxy.toml, with your server's address,\n\n\
             [backend]\naddress = \"127.0.0.1:3306\"\n\nor name your file with -c FILE."
        );
    }
}
