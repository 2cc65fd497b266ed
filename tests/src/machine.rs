//! Commands on a node of the cluster, which is a container of this machine's engine.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Runs a command on a node. Returns what it printed.
///
/// # Errors
/// If it fails; with its own words.
pub fn run(node: &str, command: &[&str]) -> Result<String> {
    docker(&[&["exec", node], command].concat())
}

/// Stops everything on a node where it is, as when its power or its network is lost, until [`resume`].
///
/// # Errors
/// If the engine cannot.
pub fn stop(node: &str) -> Result<()> {
    docker(&["pause", node]).map(drop)
}

/// Undoes [`stop`]. A node that runs is left as it is.
///
/// # Errors
/// If the engine cannot.
pub fn resume(node: &str) -> Result<()> {
    let state = docker(&["inspect", "--format", "{{.State.Paused}}", node])?;
    if state.trim() == "true" {
        docker(&["unpause", node])?;
    }
    Ok(())
}

fn docker(arguments: &[&str]) -> Result<String> {
    let output = Command::new("docker").args(arguments).output();
    let output = output.context("run docker")?;
    ensure!(
        output.status.success(),
        "docker {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
