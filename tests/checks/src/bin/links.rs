//! `links BOOK FILE...`: prints each broken link of the Markdown files, and each page of the book in the folder BOOK that
//! its summary does not list, and fails when there is any.
#![allow(clippy::print_stdout)] // what is found is what is asked for

use std::{env, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let Some((book, files)) = arguments.split_first().filter(|(_, files)| !files.is_empty()) else {
        eprintln!("usage: links BOOK FILE...");
        return ExitCode::from(2);
    };
    match checks::links::broken(files, book) {
        Ok(broken) => {
            for it in &broken {
                println!("{}:{}: {}", it.file.display(), it.line, it.what);
            }
            if broken.is_empty() {
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
