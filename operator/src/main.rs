//! `shrewd-operator`: see the crate's documentation for what it does.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use operator::{
    args::{Args, Command},
    ask_ready::ask_ready,
    run,
};

// Two threads do what there is to do in a hundredth of one. One for each core, which is the default, would each keep
// memory of its own: on a large machine more than the rest of the operator.
#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Run(args) => run::run(*args).await,
        Command::Crd => print_crd(),
        Command::Ready { url } => print_ready(&url).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Logging may not have been started.
            let _ = writeln!(std::io::stderr(), "shrewd-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn print_ready(url: &str) -> anyhow::Result<()> {
    let words = ask_ready(url).await?;
    Ok(writeln!(std::io::stdout(), "{words}")?)
}

fn print_crd() -> anyhow::Result<()> {
    let yaml = crds::crd_yaml()?;
    Ok(std::io::stdout().write_all(yaml.as_bytes())?)
}
