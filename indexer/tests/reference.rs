//! docs/src/reference.md against the code: every flag, variable and reason must be documented.

use clap::CommandFactory as _;
use indexer::cli::args::Cli;

const REFERENCE: &str = include_str!("../../docs/src/reference.md");
/// What pods report, with all its words.
const POD: &str = concat!(
    include_str!("../../crds/src/pod/report.rs"),
    include_str!("../../crds/src/pod/module_reasons.rs"),
    include_str!("../../crds/src/pod/seed_reasons.rs"),
    include_str!("../../crds/src/pod/snapshot_reasons.rs"),
    include_str!("../../crds/src/pod/source_reasons.rs"),
);

#[test]
fn every_flag_and_variable_is_documented() {
    let mut missing = Vec::new();
    let mut commands = vec![Cli::command()];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands().cloned());
        for arg in command.get_arguments() {
            let flag = arg.get_long().map(|long| format!("`--{long}"));
            let variable = arg.get_env().map(|name| format!("`{}`", name.display()));
            missing.extend(
                flag.into_iter()
                    .chain(variable)
                    .filter(|name| !REFERENCE.contains(name)),
            );
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_reason_and_class_is_documented() {
    // One in a line, as `NAME = "Word";`.
    let reasons = POD
        .lines()
        .filter_map(|line| line.trim().split_once(" = \"")?.1.strip_suffix("\";"));
    let classes = POD
        .split_once("pub enum FaultClass {")
        .unwrap()
        .1
        .split_once('}')
        .unwrap()
        .0;
    let classes = classes.lines().filter_map(|line| line.trim().strip_suffix(','));
    let words: Vec<&str> = reasons.chain(classes).collect();
    assert!(words.len() > 20 && words.contains(&"WrongNetwork") && words.contains(&"Nondeterminism"));
    let missing: Vec<&str> = words
        .into_iter()
        .filter(|word| !REFERENCE.contains(&format!("`{word}`")))
        .collect();
    assert_eq!(missing, [""; 0]);
}
