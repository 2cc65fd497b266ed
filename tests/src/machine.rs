//! Commands on a node of the cluster, which is a container of this machine's engine.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Runs a command on a node. Returns what it printed.
///
/// # Errors
/// If it fails; with its own words.
pub fn run(node: &str, command: &[&str]) -> Result<String> {
    let output = Command::new("docker").args(["exec", node]).args(command).output();
    let output = output.context("run docker")?;
    ensure!(
        output.status.success(),
        "{} on {node}: {}",
        command.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
