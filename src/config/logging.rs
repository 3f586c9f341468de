//! tidegate's own log: what is written, and how. It goes to stderr.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::{SubscriberBuilder, format::DefaultFields, format::Format};

/// `log.level`: this and what is more severe is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing at all.
    Off,
    /// What failed.
    Error,
    /// What should be looked at.
    Warn,
    /// What happened (default).
    Info,
    /// What each client and backend does.
    Debug,
    /// Everything.
    Trace,
}

/// `log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The resolved `[log]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// From which level on.
    pub level: LogLevel,
    /// In which form.
    pub format: LogFormat,
}

/// The level of a log that was started; it may be changed while the process runs.
pub struct Level(Box<dyn Fn(LogLevel) + Send + Sync>);

impl Level {
    /// From now on this and what is more severe is written.
    pub fn set(&self, level: LogLevel) {
        (self.0)(level);
    }
}

/// Starts the log of this process. A second call changes nothing.
pub fn start(settings: &LogSettings) -> Level {
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let filter_now = filter(settings.level);
    // Each place that logs remembers whether it is heard: that the level can be changed costs nothing there.
    // It fails only where a log was started before; that one goes on.
    match settings.format {
        LogFormat::Text => {
            let log = builder().with_ansi(colour).with_env_filter(filter_now).with_filter_reloading();
            let handle = log.reload_handle();
            let _ = log.try_init();
            Level(Box::new(move |level| drop(handle.reload(filter(level)))))
        }
        LogFormat::Json => {
            let log = builder().with_ansi(false).json().flatten_event(true);
            let log = log.with_env_filter(filter_now).with_filter_reloading();
            let handle = log.reload_handle();
            let _ = log.try_init();
            Level(Box::new(move |level| drop(handle.reload(filter(level)))))
        }
    }
}

type Builder = SubscriberBuilder<DefaultFields, Format, tracing::level_filters::LevelFilter, fn() -> io::Stderr>;

fn builder() -> Builder {
    tracing_subscriber::fmt().with_writer(io::stderr as fn() -> io::Stderr)
}

/// Other crates' chatter stays out at every level: nobody here can promise what it quotes.
fn filter(level: LogLevel) -> EnvFilter {
    EnvFilter::new(match level {
        LogLevel::Off => "off",
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "warn,tidegate=info",
        LogLevel::Debug => "warn,tidegate=debug",
        LogLevel::Trace => "warn,tidegate=trace",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_crates_are_never_heard_below_warn() {
        for level in [LogLevel::Info, LogLevel::Debug, LogLevel::Trace] {
            let directives = filter(level).to_string();
            assert!(directives.contains("tidegate="), "{directives}");
            assert!(directives.split(',').any(|d| d == "warn"), "{directives}");
        }
        assert_eq!(filter(LogLevel::Off).to_string(), "off");
    }
}
