//! What `scripts/preflight` decides from facts, and that it gathers every fact it decides by.
#![allow(clippy::unwrap_used)] // helpers of tests fail like tests

use std::{
    collections::BTreeSet,
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

const PREFLIGHT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/preflight");

/// A machine that lacks nothing: Debian, root, no Docker engine yet.
const GOOD: &str = "system=Linux machine=x86_64 kernel=6.1.0-18-amd64 distribution=debian apt=yes root=yes packages_missing= \
    programs_missing= build_packages_missing= build_programs_missing= tools_missing=kind rust=1.95.0 rust_needed=1.95.0 rustup=yes go=1.26.3 cc=yes bitcoind=no engine=none \
    cluster=no cache=/c cache_gib=200 cache_type=ext2/ext3 target=/t target_gib=200 one_disk=yes built=no memory_gib=16 \
    ports_used=";

/// How the recipe is judged on that machine with these differences: whether it can work, and what is said.
fn judged(recipe: &str, differences: &[(&str, &str)]) -> (bool, String) {
    let mut facts: Vec<(&str, &str)> = GOOD.split_whitespace().map(|it| it.split_once('=').unwrap()).collect();
    for (name, value) in differences {
        facts.iter_mut().find(|(it, _)| it == name).unwrap().1 = value;
    }
    let text: String = facts.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let mut child = Command::new(PREFLIGHT)
        .args(["judge", recipe])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    (status.success(), String::from_utf8(stderr).unwrap())
}

/// One lack, which begins like this and has a cure.
#[track_caller]
fn lacks(recipe: &str, differences: &[(&str, &str)], beginning: &str) {
    let (works, text) = judged(recipe, differences);
    assert!(!works, "{recipe} {differences:?}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1, "{text}");
    let (what, cure) = lines[0].split_once(": ").unwrap().1.rsplit_once(": ").unwrap();
    assert!(
        lines[0].starts_with("missing: ") && what.starts_with(beginning),
        "{text}"
    );
    assert!(cure.contains(' '), "{text}");
}

#[track_caller]
fn works(recipe: &str, differences: &[(&str, &str)]) {
    assert_eq!(
        judged(recipe, differences),
        (true, String::new()),
        "{recipe} {differences:?}"
    );
}

#[test]
fn a_machine_that_has_everything_lacks_nothing() {
    for recipe in ["setup", "demo", "try", "test", "quick"] {
        works(recipe, &[]);
    }
}

#[test]
fn each_lack_has_a_line_with_its_cure() {
    lacks(
        "quick",
        &[("system", "Darwin"), ("machine", "arm64")],
        "Linux on x86-64, this is Darwin on arm64",
    );
    lacks("setup", &[("rust", ""), ("rustup", "no")], "Rust 1.95.0");
    lacks(
        "setup",
        &[("rust", "1.63.0"), ("rustup", "no")],
        "Rust 1.95.0, this is 1.63.0",
    );
    lacks(
        "setup",
        &[("packages_missing", "clang jq"), ("root", "no")],
        "packages clang jq",
    );
    lacks(
        "setup",
        &[
            ("distribution", "fedora"),
            ("apt", "no"),
            ("bitcoind", "yes"),
            ("programs_missing", "clang"),
        ],
        "programs clang",
    );
    lacks("setup", &[("distribution", "ubuntu")], "bitcoind");
    lacks("test", &[("go", "1.19.8")], "Go 1.26, this is 1.19.8");
    lacks("test", &[("go", ""), ("engine", "other"), ("tools_missing", "")], "Go");
    lacks("demo", &[("go", "")], "Go");
    lacks("quick", &[("go", "")], "Go");
    lacks("quick", &[("cc", "no")], "a C compiler");
    lacks("try", &[("rustup", "no")], "rustup");
    lacks("test", &[("cache_gib", "20")], "30 GiB of disk at /c, 20 are free");
    lacks(
        "test",
        &[("one_disk", "no"), ("target_gib", "4")],
        "12 GiB of disk at /t, 4 are free",
    );
    lacks("test", &[("kernel", "5.10.0-28-amd64")], "kernel 5.13, this is 5.10.0");
    lacks("test", &[("root", "no")], "a Docker engine");
    lacks("test", &[("root", "no"), ("engine", "other")], "root");
    lacks("test", &[("cache_type", "overlayfs")], "a disk for a Docker engine");
    lacks("test", &[("engine", "other"), ("ports_used", "8080 9090")], "port 8080");
    lacks("try", &[("build_packages_missing", "clang")], "packages clang");
    lacks(
        "try",
        &[("apt", "no"), ("build_programs_missing", "cmake")],
        "programs cmake",
    );
    lacks("try", &[("target_gib", "4")], "12 GiB of disk at /t, 4 are free");
    lacks("try", &[("ports_used", "9090")], "port 9090");
}

#[test]
fn what_can_be_done_without_is_no_lack() {
    works(
        "try",
        &[
            ("root", "no"),
            ("go", ""),
            ("engine", "none"),
            ("distribution", "ubuntu"),
            ("packages_missing", "debootstrap"),
            ("cache_gib", "0"),
        ],
    );
    works(
        "quick",
        &[
            ("packages_missing", "clang"),
            ("engine", "none"),
            ("cache_gib", "1"),
            ("root", "no"),
        ],
    );
    works("setup", &[("packages_missing", "clang jq")]);
    works("setup", &[("rust", "")]);
    works("setup", &[("root", "no"), ("kernel", "5.10.0")]);
    works("demo", &[("go", ""), ("engine", "other"), ("tools_missing", "")]);
    works("demo", &[("root", "no"), ("engine", "other")]);
    works("test", &[("built", "yes"), ("cache_gib", "6"), ("target_gib", "6")]);
    works(
        "test",
        &[("engine", "own"), ("ports_used", "8080"), ("cache_type", "overlayfs")],
    );
    works(
        "test",
        &[("engine", "other"), ("cluster", "yes"), ("ports_used", "8080")],
    );
}

#[test]
fn a_demo_without_a_cluster_needs_its_ports() {
    let (works, text) = judged("demo", &[("root", "no")]);
    assert!(
        works && text.starts_with("note: a Docker engine") && text.ends_with("runs without a cluster\n"),
        "{text}"
    );
    let (works, text) = judged("demo", &[("root", "no"), ("ports_used", "9090")]);
    assert!(!works && text.contains("\nmissing: port 9090"), "{text}");
}

#[test]
fn little_memory_is_worth_a_note() {
    let (works, text) = judged("test", &[("memory_gib", "4")]);
    assert!(
        works && text.starts_with("note: 8 GiB of memory, this is 4: "),
        "{text}"
    );
}

#[test]
fn every_fact_it_decides_by_is_gathered() {
    let script = std::fs::read_to_string(PREFLIGHT).unwrap();
    let names = GOOD.split_whitespace().map(|it| it.split_once('=').unwrap().0);
    let gathered = facts(&std::env::var("PATH").unwrap());
    let gathered: BTreeSet<&str> = gathered.lines().map(|it| it.split_once('=').unwrap().0).collect();
    assert_eq!(gathered, names.collect());
    let decisions = &script[script.find("# --- decisions").unwrap()..];
    for word in ["$(fact ", "if is ", "! is ", "|| is ", "&& is "] {
        for rest in decisions.split(word).skip(1) {
            let name = rest.split([' ', ')']).next().unwrap();
            assert!(gathered.contains(name) || name.starts_with(['$', '"']), "{name}");
        }
    }
}

#[test]
fn gathers_facts_where_nothing_is_installed() {
    let path = TempDir::new().unwrap();
    for program in [
        "bash", "awk", "cat", "df", "dirname", "grep", "head", "sed", "stat", "uname",
    ] {
        let real = ["/usr/bin", "/bin"].map(|it| Path::new(it).join(program));
        symlink(real.iter().find(|it| it.exists()).unwrap(), path.path().join(program)).unwrap();
    }
    let facts = facts(path.path().to_str().unwrap());
    for line in ["go=", "rustup=no", "rust=", "apt=no", "bitcoind=no", "system=Linux"] {
        assert!(facts.lines().any(|it| it == line), "{line} is not in\n{facts}");
    }
    assert!(facts.contains("programs_missing=clang cmake "), "{facts}");
}

fn facts(path: &str) -> String {
    let output = Command::new("/bin/bash")
        .args([PREFLIGHT, "facts"])
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
