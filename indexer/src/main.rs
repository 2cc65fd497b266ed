//! The program: parses its command line, runs the subcommand, and reports success or failure as its exit code.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use indexer::{
    cli::args::{Cli, Command, Launch},
    commands::{
        check, client,
        compare::{self, Outcome},
        rollback, snapshot,
        text::plain,
        verify,
    },
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
                // Not by a macro that panics: whoever closed standard error does not read it.
                let _ = writeln!(io::stderr(), "error: {error:#}");
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
        Command::Compare(flags) => return Ok(compared(waiting(compare::compare(&flags, &mut out)))),
        Command::Refresh(flags) => waiting(client::refresh(&flags, &mut out))??,
        Command::Rollback(flags) => rollback::rollback(flags, &mut out)?,
        Command::Verify(flags) => verify::verify(flags, &mut out)?,
        Command::Snapshot(command) => waiting(snapshot::snapshot(*command, &mut out))??,
        Command::Check(flags) => check::check(&flags, &mut out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// As `diff` ends: 0 the same, 1 different, 2 could not be compared.
fn compared(outcome: io::Result<Result<Outcome, compare::Error>>) -> ExitCode {
    let outcome = outcome.map_err(anyhow::Error::from).and_then(|outcome| Ok(outcome?));
    match outcome {
        Ok(Outcome::Same) => ExitCode::SUCCESS,
        Ok(Outcome::Different) => ExitCode::from(1),
        Ok(Outcome::NotAnswered) => ExitCode::from(2),
        Err(error) => {
            // Words of servers are among it. Whoever closed standard error does not read it.
            let _ = writeln!(io::stderr(), "error: {}", plain(&format!("{error:#}")));
            ExitCode::from(2)
        }
    }
}

/// Runs a request on this thread: one thread suffices for one request.
fn waiting<T>(answer: impl Future<Output = T>) -> io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(answer))
}
