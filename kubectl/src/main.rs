//! The program `kubectl-shrewd`, which `kubectl shrewd` runs.

use std::process::ExitCode;

use clap::Parser as _;
use kubectl_shrewd::{args::Args, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(Args::parse()).await
}
