//! What the admin view asks of whoever knows the configuration file.

use super::table::{Cell, Kind, Table};

/// One key that a reload found changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key, such as `pool.size` or `user.password (app)`.
    pub name: String,
    /// Its value before.
    pub from: String,
    /// Its value now.
    pub to: String,
    /// It is in force; else it is from the next start on.
    pub is_live: bool,
}

/// The configuration of a running proxy. No secret comes out of it.
pub trait Configured: Send + Sync {
    /// Each key with its value in force.
    fn listing(&self) -> Vec<(String, String)>;

    /// Reads the file again and puts into force what may change while the proxy runs. Blocks for the time of reading files.
    ///
    /// # Errors
    /// All that is wrong with the file; nothing was changed.
    fn reload(&self) -> Result<Vec<Change>, String>;
}

/// What `RELOAD` shows.
pub fn table(changes: &[Change]) -> Table {
    let mut table =
        Table::new(&[("key", Kind::Text), ("before", Kind::Text), ("now", Kind::Text), ("effect", Kind::Text)]);
    for change in changes {
        let effect = if change.is_live { "in force" } else { "needs a restart" };
        let Change { name, from, to, .. } = change;
        table.push(vec![name.as_str().into(), from.as_str().into(), to.as_str().into(), effect.into()]);
    }
    table
}

/// What `SHOW CONFIG` shows.
pub fn config(configured: &dyn Configured) -> Table {
    let mut table = Table::new(&[("key", Kind::Text), ("value", Kind::Text)]);
    for (key, value) in configured.listing() {
        table.push(vec![Cell::Text(key), Cell::Text(value)]);
    }
    table
}
