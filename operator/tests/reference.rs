//! docs/reference.md against the code: what is there must be told.

use clap::CommandFactory as _;
use operator::{args::Args, metrics::Metrics};

const REFERENCE: &str = include_str!("../../docs/reference.md");
/// All words that conditions are made of.
const CONDITIONS: &str = include_str!("../../crds/src/conditions.rs");

#[test]
fn every_flag_and_variable_is_told() {
    let mut missing = Vec::new();
    for command in Args::command().get_subcommands() {
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
fn every_metric_is_told() {
    let metrics = Metrics::new().unwrap();
    // A label shows once it has a value.
    metrics.reconciled(std::time::Duration::ZERO, true);
    metrics.step_failed("apply");
    metrics.sampled(true);
    let text = String::from_utf8(metrics.text().unwrap()).unwrap();
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE shrewd_operator_"));
    let names: Vec<&str> = names.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() >= 6, "{names:?}");
    let is_told = |name: &str| REFERENCE.contains(&format!("`{name}`")) || REFERENCE.contains(&format!("`{name}{{"));
    let missing: Vec<&str> = names.into_iter().filter(|name| !is_told(name)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_condition_and_reason_is_told() {
    let constants = CONDITIONS
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub const "));
    let words: Vec<&str> = constants
        .filter_map(|line| line.split_once("&str = \"")?.1.strip_suffix("\";"))
        .collect();
    assert!(words.len() > 20 && words.contains(&"ChainSourceReady") && words.contains(&"Halted"));
    let missing: Vec<&str> = words
        .into_iter()
        .filter(|word| !REFERENCE.contains(&format!("`{word}`")))
        .collect();
    assert_eq!(missing, [""; 0]);
}
