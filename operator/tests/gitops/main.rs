//! How GitOps tools read an Indexer: kstatus (Flux, Helm), Argo CD's scripts and Flux' expressions, each over every
//! recorded object of `integrations/argocd`, and the folder a team starts from.
//!
//! What is recorded is what the operator writes: its own tests write and compare those files (`src/status/tests`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // helpers of tests fail like tests

mod actions;
mod argo;
mod environments;
mod flux;
mod kstatus;
mod lua;
mod recorded;

use std::path::PathBuf;

use serde_json::Value;

fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Argo CD's folder for the kind.
fn customization() -> PathBuf {
    repository().join("integrations/argocd/resource_customizations/shrewd.dev/Indexer")
}

fn read(path: &PathBuf) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn read_yaml(path: &PathBuf) -> Value {
    serde_yaml::from_str(&read(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
