//! The file as typed, and the settings it resolves to.
//!
//! ```text
//! text -> document (values with lines) -> tables (each key read, or its default) -> across (checks between tables)
//! ```
//! Faults are gathered on the way; nothing stops at the first one.

pub mod listing;
pub mod locate;
pub mod logging;
pub mod problem;
pub mod units;

mod across;
mod address;
mod document;
mod files;
mod secret;
mod section;
mod tables;
mod value;

use std::path::Path;

use crate::admin::settings::AdminSettings;
use crate::proxy::settings::ProxySettings;
use document::Document;
use logging::LogSettings;
use problem::{Fault, Problem, Rejected};
use section::Reader;
pub use section::Surroundings;
use tables::auth::Bounds;

/// A whole config file, resolved. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the proxy itself needs.
    pub proxy: ProxySettings,
    /// `[admin]`
    pub admin: AdminSettings,
    /// `[log]`
    pub log: LogSettings,
}

/// A config that can be used, and what should be looked at all the same.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The config.
    pub config: Config,
    /// In the file's order.
    pub warnings: Vec<Problem>,
}

/// Reads and resolves the config file `file`, with this process's environment.
/// Paths in it are as this process sees them: relative ones start at its working folder.
///
/// # Errors
/// All that is wrong with it, at once.
pub fn load(file: &Path) -> Result<Loaded, Rejected> {
    let rejected = |errors, warnings| Rejected { file: file.to_owned(), errors, warnings };
    let text = std::fs::read(file)
        .map_err(|error| files::unreadable(&error))
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| not_text()))
        .map_err(|fault| rejected(vec![of_the_file(fault)], Vec::new()))?;
    let surroundings = Surroundings {
        env: &|name| std::env::var(name).ok(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    };
    resolve(&text, surroundings).map_err(|(errors, warnings)| rejected(errors, warnings))
}

/// Resolves a config file's text.
///
/// # Errors
/// All that is wrong with it (at least one), and its warnings.
pub fn resolve(text: &str, surroundings: Surroundings<'_>) -> Result<Loaded, (Vec<Problem>, Vec<Problem>)> {
    let document = Document::parse(text).map_err(|problem| (vec![problem], Vec::new()))?;
    let mut reader = Reader::new(&document, surroundings);
    let config = read(&mut reader);
    match reader.finish() {
        (errors, warnings) if errors.is_empty() => Ok(Loaded { config, warnings }),
        faults => Err(faults),
    }
}

/// Every key that a config file may have, such as `pool.size` and `user.name`, sorted.
pub fn known_keys() -> Vec<String> {
    let surroundings = Surroundings { env: &|_| None, cores: 1 };
    let Ok(document) = Document::parse("") else {
        return Vec::new();
    };
    let mut reader = Reader::new(&document, surroundings);
    read(&mut reader);
    reader.known_keys().iter().cloned().collect()
}

fn read(reader: &mut Reader<'_>) -> Config {
    let listen = tables::listen::read(reader);
    let backend = tables::backend::read(reader);
    let (mode, pool, limits) = tables::pool::read(reader);
    let sound = |keys: &[&str]| keys.iter().all(|key| reader.is_sound(key));
    let bounds = Bounds {
        connections: sound(&["pool.size", "pool.max_overflow"]).then_some(pool.size + pool.max_overflow),
        clients: sound(&["listen.max_clients"]).then_some(listen.max_clients),
    };
    let config = Config {
        proxy: ProxySettings {
            listen,
            backend,
            mode,
            pool,
            limits,
            auth: tables::auth::read(reader, bounds),
            slow_log: tables::record::slow_log(reader),
            histogram: tables::record::histogram(reader),
        },
        admin: tables::admin::read(reader),
        log: tables::log::read(reader),
    };
    across::check(reader, &config);
    config
}

fn of_the_file(fault: Fault) -> Problem {
    Problem { line: None, path: String::new(), fault }
}

fn not_text() -> Fault {
    Fault::new("the file is not UTF-8", "save it as UTF-8 text")
}
