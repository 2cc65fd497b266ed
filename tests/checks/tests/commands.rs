//! The program that checks who runs the commands of the book, on a page that is planted for it.
#![allow(clippy::unwrap_used)] // helpers of tests fail like tests

use std::{fs, process::Command};

use tempfile::TempDir;

const PAGE: &str = "page.md";
const FILES: [(&str, &str); 8] = [
    ("Makefile", "try: ## tries\n\t@scripts/try\n"),
    (
        "docs/src/reference.md",
        "| `--db-path DIR` | the database |\n```sh\nx --planted\n```\n",
    ),
    ("docs/src/kubectl.md", "`-o` and `--wait`\n"),
    (
        "scripts/try",
        "\"$BINARIES/shrewd-indexer\" check x\nkube get indexers\n",
    ),
    ("tests/plugin.rs", "told(&[\n  \"why\", \"one\"])\n// [\"top\"]\n"),
    ("tests/reader.rs", "const PAGES: &str = \"../docs/pages\";\n"),
    (
        "docs/pages/one.md",
        "<!-- read and run by tests/reader.rs -->\n```sh\nkubectl get x\n```\n\
         <!-- read and run by tests/person.rs -->\n```sh\nkubectl get x\n```\n",
    ),
    ("tests/person.rs", "const PROGRAM: &str = \"kubectl-shrewd\";\n"),
];

#[test]
fn a_block_says_who_runs_it() {
    let words = "page.md:1: nothing says who runs this: put `<!-- run by PATH -->` or `<!-- not run: REASON -->` on the line \
                 before it\n";
    assert_eq!(run("```sh\nls\n```\n"), (1, words.into()));
    assert_eq!(run("```yaml\nls\n```\n"), (0, String::new()));
    assert_eq!(
        run("<!-- not run: needs a cloud -->\n```sh\nls\n```\n"),
        (0, String::new())
    );
    assert_eq!(run("<!-- not run: later -->\n```sh\nls\n```\n").0, 1);
}

#[test]
fn who_is_named_runs_it() {
    let words = "page.md:2: scripts/gone: there is no such file; name who runs this\n";
    assert_eq!(run_by("scripts/gone", "kubectl get indexer x"), (1, words.into()));
    assert_eq!(run_by("scripts/try", "kubectl get indexer x"), (0, String::new()));
    assert_eq!(run_by("scripts/try", "make try"), (0, String::new()));
    let words = "page.md:2: no command of this block is in scripts/try; name who runs it, or say why nobody does\n";
    assert_eq!(run_by("scripts/try", "kubectl delete indexer x"), (1, words.into()));
    assert_eq!(run_by("scripts/try", "ls"), (1, words.into()));
    let both = "shrewd-indexer check x\nhelm test x";
    let words = "page.md:4: helm test: not in scripts/try; name who runs it, or add `; the rest REASON` to the mark\n";
    assert_eq!(run_by("scripts/try", both), (1, words.into()));
    assert_eq!(
        run_by("scripts/try; the rest needs your cluster", both),
        (0, String::new())
    );
}

#[test]
fn who_reads_the_page_runs_all_of_it() {
    let words =
        "docs/pages/one.md:6: tests/person.rs: it does not name the folder docs/pages, so it reads no page of it\n";
    assert_eq!(of_page("docs/pages/one.md"), (1, words.into()));
    assert_eq!(run("<!-- read and run by tests/gone.rs -->\n```sh\nls\n```\n").0, 1);
}

#[test]
fn tests_in_rust_have_programs_and_arguments_apart() {
    assert_eq!(
        run_by("tests/plugin.rs tests/person.rs", "kubectl shrewd why x"),
        (0, String::new())
    );
    assert_eq!(run_by("tests/plugin.rs tests/person.rs", "kubectl shrewd top").0, 1);
    assert_eq!(run_by("tests/plugin.rs", "kubectl shrewd why x").0, 1);
}

#[test]
fn targets_and_flags_exist() {
    let not_run = |command: &str| run(&format!("<!-- not run: needs a cloud -->\n```sh\n{command}\n```\n"));
    let words = "page.md:3: make tyr: the Makefile has no such target\n";
    assert_eq!(not_run("make tyr"), (1, words.into()));
    let words = "page.md:3: shrewd-indexer run --db: the reference has no such flag\n";
    assert_eq!(not_run("shrewd-indexer run --db x --db-path y"), (1, words.into()));
    assert_eq!(not_run("kubectl shrewd refresh x --wait --planted").0, 1);
    assert_eq!(not_run("kubectl get --any"), (0, String::new()));
}

fn run_by(who: &str, commands: &str) -> (i32, String) {
    run(&format!("<!-- run by {who} -->\n```sh\n{commands}\n```\n"))
}

/// How the program ends, and what it prints, of this page.
fn run(page: &str) -> (i32, String) {
    judge(PAGE, page)
}

/// The same of a page among the files.
fn of_page(path: &str) -> (i32, String) {
    judge(path, "")
}

fn judge(path: &str, page: &str) -> (i32, String) {
    let folder = TempDir::new().unwrap();
    for (name, text) in FILES.into_iter().chain([(PAGE, page)]) {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_commands"))
        .arg(path)
        .current_dir(&folder)
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}
