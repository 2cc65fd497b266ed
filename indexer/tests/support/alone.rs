//! A test in a process of its own: with limits on that process, or where the memory of other tests would blur what is
//! measured.
#![allow(dead_code)] // Each test program compiles this for itself and uses a part.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // Tests, though the lints do not see it.

use std::process::Command;

/// Set in such a process.
const ALONE: &str = "SHREWD_TEST_ALONE";
/// What it says at its end; without it, no test ran.
const DONE: &str = "the test alone is done";

/// Runs `test`, which is the whole of the test of this name, under a command that takes a program and its arguments.
pub(crate) fn run(name: &str, under: &mut Command, test: impl FnOnce()) {
    if is_inside() {
        inside(test)
    } else {
        outside(name, under)
    }
}

/// Whether this is such a process.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// In such a process: what is tested.
pub(crate) fn inside(test: impl FnOnce()) {
    test();
    println!("{DONE}");
}

/// Starts such a process and waits for it.
pub(crate) fn outside(name: &str, under: &mut Command) {
    let output = under
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(
        output.status.success() && said.contains(DONE),
        "{}: {said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}
