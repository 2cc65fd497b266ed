//! The program: parses its command line, runs the subcommand, and reports success or failure as its exit code.

use std::{io, process::ExitCode};

use indexer::{
    cli::args::{Cli, Command, Launch},
    commands::{check, client, compare, rollback, snapshot, verify},
    run,
    telemetry::logs,
};

fn main() -> ExitCode {
    let cli = Cli::from_env();
    match execute(cli) {
        Ok(code) => code,
        Err(error) => {
            // The last line of a run goes to its log; the other commands have none.
            if tracing::dispatcher::has_been_set() {
                tracing::error!("{error:#}")
            } else {
                eprintln!("error: {error:#}")
            }
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match cli.command {
        Command::Run(flags) => {
            let bar = logs::init(cli.log_format).map_err(anyhow::Error::from_boxed)?;
            run::run(Launch::from_flags(*flags)?, bar)?;
        }
        Command::Status(flags) => waiting(client::status(flags, &mut out))??,
        Command::View(flags) => waiting(client::view(flags, &mut out))??,
        Command::Compare(flags) => return compared(waiting(compare::compare(&flags, &mut out))?),
        Command::Refresh(flags) => waiting(client::refresh(&flags, &mut out))??,
        Command::Rollback(flags) => rollback::rollback(flags, &mut out)?,
        Command::Verify(flags) => verify::verify(flags, &mut out)?,
        Command::Snapshot(command) => waiting(snapshot::snapshot(*command, &mut out))??,
        Command::Check(flags) => check::check(&flags, &mut out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// As `diff` ends: 0 the same, 1 different, 2 trouble.
fn compared(outcome: Result<bool, compare::Error>) -> anyhow::Result<ExitCode> {
    Ok(match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {:#}", anyhow::Error::from(error));
            ExitCode::from(2)
        }
    })
}

/// Runs a request on this thread: one thread suffices for one request.
fn waiting<T>(answer: impl Future<Output = T>) -> io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(answer))
}
