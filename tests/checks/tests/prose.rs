//! The program that checks prose, on files that are planted for it, and the list it is used with.
#![allow(clippy::unwrap_used)] // helpers of tests fail like tests

use std::{fs, process::Command};

use checks::prose::Phrases;
use tempfile::TempDir;

#[test]
fn names_the_place_and_what_to_write() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file("phrases", "for ever -> indefinitely\n");
    file(
        "a.md",
        &format!("# Title\n\nIt waits for\never: `for ever`.\n{} yy\n", "x".repeat(118)),
    );
    file("b.rs", "// It waits for ever.\nfn f(for_ever: u8) {}\n");
    file("c", "# for ever\n");
    file("d.md", "Nothing.\n");
    assert_eq!(
        run(&folder, &["phrases", "a.md", "b.rs", "c"]),
        (
            1,
            "a.md:3: \"for ever\": indefinitely\n\
             a.md:5: 121 columns: end lines of prose at 120\n\
             b.rs:1: \"for ever\": indefinitely\n\
             c:1: \"for ever\": indefinitely\n"
                .into()
        )
    );
    assert_eq!(run(&folder, &["phrases", "d.md"]), (0, String::new()));
    for arguments in [&["phrases"][..], &["phrases", "missing.md"], &["d.md", "a.md"]] {
        assert_eq!(run(&folder, arguments).0, 2, "{arguments:?}");
    }
}

#[test]
fn the_list_in_use_is_well_formed() {
    Phrases::parse(include_str!("../../../scripts/phrases")).unwrap();
}

/// How the program ends, and what it prints.
fn run(folder: &TempDir, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_prose"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}
