//! The program `kubectl-shrewd`, which `kubectl shrewd` runs.

use std::{env, ffi::OsString, path::Path, process::ExitCode};

use clap::Parser as _;
use kubectl_shrewd::{args::Args, commands::complete, run, terminal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if !is_asked_for_words() {
        return run(Args::parse()).await;
    }
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    let printed = terminal::print(&complete::complete(&words));
    ExitCode::from(u8::from(printed.is_err()))
}

/// Whether it was started by the name under which kubectl asks for completion.
fn is_asked_for_words() -> bool {
    let program = env::args_os().next().unwrap_or_default();
    Path::new(&program)
        .file_stem()
        .is_some_and(|name| name == complete::PROGRAM)
}
