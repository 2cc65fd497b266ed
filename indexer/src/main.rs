//! The program: reads its command line, does what it says, and ends with a code that tells how it went.

use std::{io, process::ExitCode};

use indexer::{
    cli::args::{Cli, Command, Launch},
    commands::check,
    commands::client,
    commands::rollback,
    commands::verify,
    run,
    telemetry::logs,
};

fn main() -> ExitCode {
    let cli = Cli::from_env();
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where a run's lines go, its last one goes too; the other commands log nothing.
            if tracing::dispatcher::has_been_set() {
                tracing::error!("{error:#}")
            } else {
                eprintln!("error: {error:#}")
            }
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match cli.command {
        Command::Run(flags) => {
            let bar = logs::init(cli.log_format).map_err(anyhow::Error::from_boxed)?;
            return run::run(Launch::from_flags(*flags)?, bar);
        }
        Command::Status(flags) => waiting(client::status(flags, &mut out))??,
        Command::View(flags) => waiting(client::view(flags, &mut out))??,
        Command::Refresh(flags) => waiting(client::refresh(&flags, &mut out))??,
        Command::Rollback(flags) => rollback::rollback(flags, &mut out)?,
        Command::Verify(flags) => verify::verify(flags, &mut out)?,
        Command::Check(flags) => check::check(&flags, &mut out)?,
    }
    Ok(())
}

/// For one question, one thread suffices.
fn waiting<T>(answer: impl Future<Output = T>) -> io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(answer))
}
