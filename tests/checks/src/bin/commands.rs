//! `commands FILE...`: prints each block of commands of these pages that nobody is known to run, and fails when there is
//! any. It is run in the folder of the repository.
#![allow(clippy::print_stdout)] // what is found is what is asked for

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

fn main() -> ExitCode {
    let pages: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if pages.is_empty() {
        eprintln!("usage: commands FILE...");
        return ExitCode::from(2);
    }
    match checks::commands::unproven(Path::new(""), &pages) {
        Ok(unproven) => {
            for it in &unproven {
                println!("{}:{}: {}", it.file.display(), it.line, it.what);
            }
            if unproven.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("error: read the files: {error}");
            ExitCode::from(2)
        }
    }
}
