//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::bench::BenchArgs;
use crate::commands::hist::HistArgs;
use crate::commands::simulate::SimulateArgs;

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
        self.command.clone().unwrap_or(Command::Serve(ServeArgs::default()))
    }
}

/// One command.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Run the proxy (this is what happens without a command).
    Serve(ServeArgs),
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
    /// Sweep pool settings under load against a server of its own or yours, and say which to take.
    Bench(BenchArgs),
    /// Ask what recorded traffic would have met with other pool settings.
    Simulate(SimulateArgs),
}

/// `tidegate serve`
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct ServeArgs {
    /// Put the traffic on record in FILE, for `tidegate simulate`: times, transactions, digests, no literals
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// .. with the statements as they were sent, so that `tidegate bench` can play them again
    #[arg(long, requires = "record")]
    pub record_literals: bool,
    /// A file of this size in MiB is set aside as FILE.1, and a new one begun
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=1 << 20), requires = "record")]
    pub record_max_size: u64,
    /// How many files set aside are kept
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(0..=999), requires = "record")]
    pub record_keep: u16,
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
        assert!(matches!(parse("tidegate").command(), Command::Serve(args) if args.record.is_none()));
        assert!(matches!(parse("tidegate serve").command(), Command::Serve(args) if args.record.is_none()));
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
