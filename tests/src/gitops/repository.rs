//! A working copy on this machine of a repository on the cluster's git server.

use std::{ffi::OsStr, fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{cluster::Cluster, manifest::yaml, wait};

/// Namespace and name of the server's Service.
const SERVER: &str = "git";
const BRANCH: &str = "main";
/// Added to every call: the machine's own configuration must not matter, and no call may hang. A larger pack would be
/// sent in chunks, which CGI does not support.
const SETTINGS: [&str; 5] = [
    "user.name=e2e",
    "user.email=e2e@localhost",
    "http.postBuffer=33554432",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=30",
];

/// A repository with one branch, empty at first.
pub struct Repository {
    folder: TempDir,
    name: String,
}

impl Repository {
    /// Creates the working copy; the server creates its side on the first push.
    ///
    /// # Errors
    /// If the cluster has no git server, or this machine no git.
    pub async fn create(cluster: &Cluster, name: &str) -> Result<Self> {
        let server = cluster
            .node_port_url(SERVER, SERVER)
            .await
            .context("find the git server: run `make gitops-up`")?;
        let folder = tempfile::tempdir()?;
        let repository = Self {
            folder,
            name: name.into(),
        };
        repository.git(["init", "--quiet", "--initial-branch", BRANCH])?;
        repository.git(["remote", "add", "origin", &format!("{server}/{name}.git")])?;
        Ok(repository)
    }

    /// Where Flux finds it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{SERVER}.{SERVER}.svc.cluster.local/{}.git", self.name)
    }

    /// The branch that [`Self::push`] pushes to.
    #[must_use]
    pub fn branch(&self) -> &str {
        BRANCH
    }

    /// Writes a file of manifests into the working copy.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, file: &str, manifests: &[Value]) -> Result<()> {
        Ok(fs::write(self.path().join(file), yaml(manifests)?)?)
    }

    /// Removes a file from the working copy.
    ///
    /// # Errors
    /// If it is not there.
    pub fn remove(&self, file: &str) -> Result<()> {
        Ok(fs::remove_file(self.path().join(file))?)
    }

    /// Commits all of the working copy and pushes it. Returns the commit's id.
    ///
    /// # Errors
    /// If nothing was changed, or the server does not take it.
    pub async fn push(&self, message: &str) -> Result<String> {
        self.git(["add", "--all"])?;
        self.git(["commit", "--quiet", "--message", message])?;
        self.publish().await
    }

    /// Undoes the last commit with another one, and pushes that. Returns its id.
    ///
    /// # Errors
    /// If the server does not take it.
    pub async fn revert(&self) -> Result<String> {
        self.git(["revert", "--no-edit", "HEAD"])?;
        self.publish().await
    }

    /// The working copy.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Retried while the server does not answer: a second push of the same commits changes nothing.
    async fn publish(&self) -> Result<String> {
        wait::until("the git server takes a push", wait::PATIENCE, async || {
            self.git(["push", "--quiet", "origin", BRANCH])
        })
        .await?;
        Ok(self.git(["rev-parse", "HEAD"])?.trim().to_owned())
    }

    fn git<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<String> {
        let mut command = Command::new("git");
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command
            .args(arguments)
            .current_dir(self.path())
            .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
            .envs([("GIT_TERMINAL_PROMPT", "0"), ("no_proxy", "*")]);
        let output = command.output().context("run git")?;
        ensure!(
            output.status.success(),
            "{command:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}
