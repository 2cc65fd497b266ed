//! `prose PHRASES FILE...`: prints each phrase of the list PHRASES that occurs in the prose of the files, and each line of
//! Markdown that is too long, and fails when there is any.
#![allow(clippy::print_stdout)] // what is found is what is asked for

use std::{env, fs, path::Path, process::ExitCode};

use checks::prose::{Phrases, problems};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((list, files)) = arguments.split_first().filter(|(_, files)| !files.is_empty()) else {
        eprintln!("usage: prose PHRASES FILE...");
        return ExitCode::from(2);
    };
    match check(list, files) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints the problems of all files; how many.
fn check(list: &str, files: &[String]) -> Result<usize, String> {
    let phrases = Phrases::parse(&read(list)?).map_err(|error| format!("{list}: {error}"))?;
    let mut count = 0;
    for file in files {
        for problem in problems(&phrases, Path::new(file), &read(file)?) {
            println!("{file}:{}: {}", problem.line, problem.what);
            count += 1;
        }
    }
    Ok(count)
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("read {path}: {error}"))
}
