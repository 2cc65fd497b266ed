//! The program that checks links, on a book that is planted for it.
#![allow(clippy::unwrap_used)] // helpers of tests fail like tests

use std::{fs, process::Command};

use tempfile::TempDir;

const FILES: [(&str, &str); 5] = [
    (
        "README.md",
        "[guide](docs/src/guide.md#two-words) [gone](gone.md) [folder](docs)",
    ),
    ("docs/src/SUMMARY.md", "- [Guide](guide.md)"),
    (
        "docs/src/guide.md",
        "# Two words\n[up](../../README.md) [here](#two-words) [not](#three) [dot](./guide.md)",
    ),
    ("docs/src/lost.md", "[guide](guide.md#no)\n"),
    ("other.md", "`[code](gone.md)`"),
];

#[test]
fn names_what_is_broken() {
    let folder = TempDir::new().unwrap();
    for (name, text) in FILES {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let names = FILES.map(|(name, _)| name);
    let expected = "README.md:1: gone.md: there is no such file\n\
        docs/src/guide.md:2: ../../README.md: outside of the book, where it is not published\n\
        docs/src/guide.md:2: #three: there is no such heading\n\
        docs/src/lost.md:1: guide.md#no: there is no such heading\n\
        docs/src/lost.md:1: this page is not in docs/src/SUMMARY.md\n";
    assert_eq!(run(&folder, &names), (1, expected.into()));
    assert_eq!(run(&folder, &["docs/src/SUMMARY.md", "other.md"]), (0, String::new()));
    assert_eq!(run(&folder, &["missing.md"]).0, 2);
    assert_eq!(run(&folder, &[]).0, 2);
}

/// How the program ends, and what it prints.
fn run(folder: &TempDir, files: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_links"))
        .arg("docs/src")
        .args(files)
        .current_dir(folder)
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}
