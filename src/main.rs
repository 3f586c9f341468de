//! The `tidegate` binary.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tidegate::cli::{Cli, Command, ServeArgs};
use tidegate::commands;
use tidegate::config::{self, Loaded, locate};
use tidegate::stats::trace::TraceSettings;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let command = cli.command();
    // These have no configuration.
    match &command {
        Command::Hist(args) => return ExitCode::from(commands::hist::run(args)),
        Command::Bench(args) => return ExitCode::from(commands::bench::run(args)),
        Command::Simulate(args) => return ExitCode::from(commands::simulate::run(args)),
        _ => {}
    }
    let file = match locate::locate(cli.config, locate::PLACES) {
        Ok(file) => file,
        Err(error) => return bad_config(&error),
    };
    let loaded = match config::load(&file) {
        Ok(loaded) => loaded,
        Err(error) => return bad_config(&error),
    };
    match command {
        Command::Serve(args) => serve(&file, loaded, &args),
        Command::Check { connect } => check(&file, &loaded, connect),
        Command::Health => health(&loaded),
        // They have ended above.
        Command::Hist(_) | Command::Bench(_) | Command::Simulate(_) => ExitCode::SUCCESS,
    }
}

fn serve(file: &Path, loaded: Loaded, args: &ServeArgs) -> ExitCode {
    let record = args.record.as_ref().map(|path| TraceSettings {
        path: path.clone(),
        literals: args.record_literals,
        max_size: Some(args.record_max_size << 20),
        keep: args.record_keep.into(),
    });
    match tidegate::serve::serve(file, loaded, record) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check(file: &Path, loaded: &Loaded, connect: bool) -> ExitCode {
    for warning in &loaded.warnings {
        eprintln!("warning: {}", warning.describe(file));
    }
    println!("{} is in order", file.display());
    println!("{}", commands::check::summary(&loaded.config.proxy));
    if !connect {
        return ExitCode::SUCCESS;
    }
    match tidegate::proxy::check::connect(&loaded.config.proxy) {
        Ok(report) => {
            print!("{}", report.text);
            if report.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn health(loaded: &Loaded) -> ExitCode {
    match tidegate::proxy::health::look(&loaded.config.proxy.listen) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Scripts tell a config to correct (2) from a proxy that failed (1).
fn bad_config(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(2)
}
