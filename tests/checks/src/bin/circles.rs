//! `circles PATH...`: prints the circles of imports between files of each crate and fails when there is one. A path is a
//! crate's root file, or its folder, which stands for its library and its programs.
#![allow(clippy::print_stdout)] // the circles are what is asked for

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let roots: Vec<PathBuf> = arguments.iter().flat_map(|path| roots(path)).collect();
    if roots.is_empty() {
        eprintln!("usage: circles CRATE_FOLDER_OR_ROOT_FILE...");
        return ExitCode::from(2);
    }
    let mut code = ExitCode::SUCCESS;
    for root in roots {
        match checks::circles::find(&root) {
            Ok(circles) if circles.is_empty() => println!("{}: no circle", root.display()),
            Ok(circles) => {
                println!("{}: circles: {}", root.display(), circles.len());
                circles.iter().for_each(|circle| println!("{circle}"));
                code = ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("error: {error}: {}", source(&error));
                return ExitCode::from(2);
            }
        }
    }
    code
}

/// The root files that a path stands for.
fn roots(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.into()];
    }
    let programs = fs::read_dir(path.join("src/bin")).into_iter().flatten().flatten();
    let mut roots = vec![path.join("src/lib.rs"), path.join("src/main.rs")];
    roots.extend(programs.map(|entry| entry.path()));
    roots.retain(|root| root.is_file());
    roots
}

/// What lies below an error.
fn source(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}
