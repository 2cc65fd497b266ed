//! What kubectl shows.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{cluster::Cluster, manifest::yaml, namespace::Namespace};

/// What a command of kubectl prints.
///
/// # Errors
/// If kubectl is not in `PATH`, or fails; with its own words.
pub fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    let output = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(&cluster.kubeconfig)
        .args(arguments)
        .output()
        .context("run kubectl")?;
    if !output.status.success() {
        bail!(
            "kubectl {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The output of `kubectl diff` of manifests against a namespace. Empty: no drift.
///
/// # Errors
/// If kubectl is not in `PATH`, or the API server refuses a manifest.
pub fn diff(namespace: &Namespace, manifests: &[Value]) -> Result<String> {
    let mut child = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(&namespace.cluster.kubeconfig)
        .args(["--namespace", &namespace.name])
        .args(["diff", "--server-side", "--force-conflicts", "--filename", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("run kubectl")?;
    let mut stdin = child.stdin.take().context("kubectl has a standard input")?;
    stdin.write_all(yaml(manifests)?.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    // For `diff`, 1 means that there is a difference.
    match output.status.code() {
        Some(0) => Ok(String::new()),
        Some(1) if !output.stdout.is_empty() => Ok(String::from_utf8(output.stdout)?),
        _ => bail!("kubectl diff: {}", String::from_utf8_lossy(&output.stderr)),
    }
}
