//! `tidegate serve`: the proxy with its admin view, and the reload of its configuration (SIGHUP, the console's RELOAD).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use tracing::{info, warn};

use crate::admin::{self, reload};
use crate::config::listing::{Change, Item, changes, listing};
use crate::config::logging::{self, Level};
use crate::config::{self, Loaded};
use crate::proxy::running::{Running, is_live};
use crate::proxy::server;
use crate::stats::trace::TraceSettings;

/// Keys that this module itself puts into force.
const LOG_LEVEL: &str = "log.level";

/// Runs the proxy until it is told to end. Blocks. `record`: the traffic goes into a trace from the start.
///
/// # Errors
/// An address or a file cannot be had, a certificate cannot be used.
pub fn serve(file: &Path, loaded: Loaded, record: Option<TraceSettings>) -> anyhow::Result<()> {
    let level = logging::start(&loaded.config.log);
    for warning in &loaded.warnings {
        warn!("{}", warning.describe(file));
    }
    let (proxy, admin) = (loaded.config.proxy.clone(), loaded.config.admin.clone());
    let file = file.to_owned();
    server::serve(proxy, move |running| {
        if let Some(record) = record {
            let path = record.path.display().to_string();
            running.start_recording(record).with_context(|| format!("--record {path}"))?;
        }
        let in_force = Mutex::new(listing(&loaded.config));
        let reloader = Arc::new(Reloader { file, in_force, level, running: running.clone() });
        let configured: Arc<dyn reload::Configured> = Arc::clone(&reloader) as _;
        admin::start(admin, running, configured)?;
        Ok(Box::new(move || reloader.on_hangup()))
    })
}

/// The configuration in force, and how another one is put there.
struct Reloader {
    file: PathBuf,
    /// What is in force: of keys that need a restart, what the file said at the start.
    in_force: Mutex<Vec<Item>>,
    level: Level,
    running: Running,
}

impl Reloader {
    /// A reload that nobody waits for: files may be slow, and the proxy's task must not wait for them.
    fn on_hangup(self: &Arc<Self>) {
        let reloader = Arc::clone(self);
        let spawned = std::thread::Builder::new().name("reload".into()).spawn(move || {
            // What went wrong is on the log.
            let _ = reload::Configured::reload(&*reloader);
        });
        if let Err(error) = spawned {
            warn!(%error, "the configuration cannot be read again");
        }
    }

    fn apply(&self, loaded: &Loaded, found: &[Change]) {
        self.running.reconfigure(&loaded.config.proxy);
        if found.iter().any(|change| change.key == LOG_LEVEL) {
            self.level.set(loaded.config.log.level);
        }
    }
}

impl reload::Configured for Reloader {
    fn listing(&self) -> Vec<(String, String)> {
        let in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        in_force.iter().map(|item| (item.name(), item.value.clone())).collect()
    }

    fn reload(&self) -> Result<Vec<reload::Change>, String> {
        // One at a time: who comes second compares with what the first one put there.
        let mut in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = match config::load(&self.file) {
            Ok(loaded) => loaded,
            Err(rejected) => {
                warn!("the configuration is as before: {rejected}");
                return Err(rejected.to_string());
            }
        };
        for warning in &loaded.warnings {
            warn!("{}", warning.describe(&self.file));
        }
        let in_file = listing(&loaded.config);
        let found = changes(&in_force, &in_file);
        self.apply(&loaded, &found);
        *in_force = merged(&in_force, in_file);
        Ok(found.into_iter().map(told).collect())
    }
}

/// What is in force after a reload.
fn merged(before: &[Item], in_file: Vec<Item>) -> Vec<Item> {
    let as_before = |item: &Item| before.iter().find(|old| old.key == item.key && old.of == item.of).cloned();
    let now = |item: Item| if takes_effect(item.key) { item } else { as_before(&item).unwrap_or(item) };
    in_file.into_iter().map(now).collect()
}

fn takes_effect(key: &str) -> bool {
    is_live(key) || key == LOG_LEVEL
}

/// As the log and the console tell it.
fn told(change: Change) -> reload::Change {
    let is_live = takes_effect(change.key);
    let Change { name, from, to, .. } = change;
    match is_live {
        true => info!("reloaded: {name}: {from} -> {to}"),
        false => warn!("{name}: {from} -> {to} needs a restart"),
    }
    reload::Change { name, from, to, is_live }
}
