//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::bench::BenchArgs;
use crate::commands::hist::HistArgs;

/// A MySQL protocol-aware proxy: times every query, pools connections, retires them before the server does.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, disable_help_subcommand = true)]
pub struct Cli {
    /// The config file [default: ./proxy.toml, then /etc/tidegate/proxy.toml].
    #[arg(short, long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to do; nothing said: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// The command that was asked for.
    pub fn command(&self) -> Command {
        self.command.clone().unwrap_or(Command::Serve)
    }
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the proxy (this is what happens without a command).
    Serve,
    /// Check the config file and say everything that is wrong with it.
    Check {
        /// Log in to the backend too, and say how each account will be handled.
        #[arg(long)]
        connect: bool,
    },
    /// See whether the running proxy greets its clients: exit 0 if it does, 2 if not.
    Health,
    /// Look at histogram dumps (.hlog): show, compare, put together, draw.
    Hist(HistArgs),
    /// Sweep pool settings under load against a server of its own or yours, and say which to take
    Bench(BenchArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Cli {
        Cli::try_parse_from(line.split(' ')).expect("a command line")
    }

    #[test]
    fn the_definition_is_sound() {
        <Cli as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn serve_is_what_happens_without_a_command() {
        assert_eq!(parse("tidegate").command(), Command::Serve);
        assert_eq!(parse("tidegate serve").command(), Command::Serve);
        assert_eq!(parse("tidegate check").command(), Command::Check { connect: false });
        assert_eq!(parse("tidegate check --connect").command(), Command::Check { connect: true });
        assert_eq!(parse("tidegate health").command(), Command::Health);
    }

    #[test]
    fn the_file_may_stand_on_either_side() {
        let file = Some(PathBuf::from("x.toml"));
        assert_eq!(parse("tidegate").config, None);
        for line in [
            "tidegate -c x.toml",
            "tidegate serve -c x.toml",
            "tidegate -c x.toml check",
            "tidegate check --config x.toml",
        ] {
            assert_eq!(parse(line).config, file, "{line}");
        }
    }
}
