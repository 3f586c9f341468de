//! `tidegate serve`: the proxy with its admin view, and the reload of its configuration (SIGHUP, the console's RELOAD).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{info, warn};

use crate::admin::{self, reload};
use crate::config::listing::{Change, changes, listing};
use crate::config::logging::{self, Level};
use crate::config::{self, Config, Loaded};
use crate::proxy::running::{Running, is_live};
use crate::proxy::server;

/// Keys that this module itself puts into force.
const LOG_LEVEL: &str = "log.level";

/// Runs the proxy until it is told to end. Blocks.
///
/// # Errors
/// An address or a file cannot be had, a certificate cannot be used.
pub fn serve(file: &Path, loaded: Loaded) -> anyhow::Result<()> {
    let level = logging::start(&loaded.config.log);
    for warning in &loaded.warnings {
        warn!("{}", warning.describe(file));
    }
    let (proxy, admin) = (loaded.config.proxy.clone(), loaded.config.admin.clone());
    let file = file.to_owned();
    server::serve(proxy, move |running| {
        let in_force = Mutex::new(loaded.config);
        let reloader = Arc::new(Reloader { file, in_force, level, running: running.clone() });
        let configured: Arc<dyn reload::Configured> = Arc::clone(&reloader) as _;
        admin::start(admin, running, configured)?;
        Ok(Box::new(move || reloader.on_hangup()))
    })
}

/// The configuration in force, and how another one is put there.
struct Reloader {
    file: PathBuf,
    /// What the file last said that was in order, whether or not all of it is in force.
    in_force: Mutex<Config>,
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
        let config = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        listing(&config).into_iter().map(|item| (item.name(), item.value)).collect()
    }

    fn reload(&self) -> Result<Vec<reload::Change>, String> {
        // One at a time: who comes second compares with what the first one put there.
        let mut config = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
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
        let found = changes(&listing(&config), &listing(&loaded.config));
        self.apply(&loaded, &found);
        *config = loaded.config;
        Ok(found.into_iter().map(told).collect())
    }
}

/// As the log and the console tell it.
fn told(change: Change) -> reload::Change {
    let is_live = is_live(change.key) || change.key == LOG_LEVEL;
    let Change { name, from, to, .. } = change;
    match is_live {
        true => info!("reloaded: {name}: {from} -> {to}"),
        false => warn!("{name}: {from} -> {to} needs a restart"),
    }
    reload::Change { name, from, to, is_live }
}
