//! `completion`: what completes commands and flags in a shell.

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::args::Args;

/// The script for a shell.
///
/// # Errors
/// Never in practice: it is text.
pub fn completion(shell: Shell) -> Result<String> {
    let mut script = Vec::new();
    generate(shell, &mut Args::command(), "kubectl-shrewd", &mut script);
    String::from_utf8(script).context("write the script")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let script = completion(shell).unwrap();
            assert!(
                script.contains("kubectl-shrewd") && script.contains("refresh"),
                "{shell}"
            );
        }
    }
}
