//! A person with a role in a namespace, and what `kubectl shrewd` tells them.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{authentication::v1::TokenRequest, core::v1::ServiceAccount, rbac::v1::RoleBinding};
use kube::{api::PostParams, config::Kubeconfig};
use serde_json::json;
use tempfile::TempDir;

use crate::namespace::Namespace;

/// The program, beside those of the tests.
const PROGRAM: &str = "kubectl-shrewd";
/// Likewise, as kubectl finds it for completion.
const COMPLETING: &str = "kubectl_complete-shrewd";

/// Somebody with one of the cluster's roles in one namespace and no other right.
pub struct Person {
    kubeconfig: PathBuf,
    namespace: String,
    /// Where the kubeconfig is, and what commands leave behind.
    pub folder: TempDir,
}

impl Person {
    /// Makes somebody with a role: `view`, `edit`.
    ///
    /// # Errors
    /// If the API server refuses it, or the kubeconfig cannot be written.
    pub async fn with_role(namespace: &Namespace, role: &str) -> Result<Self> {
        let account = json!({"metadata": {"name": role}});
        namespace.apply::<ServiceAccount>(&account).await?;
        let binding = json!({
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": role, "namespace": namespace.name}],
        });
        namespace.apply::<RoleBinding>(&binding).await?;
        let accounts = namespace.api::<ServiceAccount>();
        let request = TokenRequest::default();
        let granted = accounts
            .create_token_request(role, &PostParams::default(), &request)
            .await?;
        let token = granted.status.context("a token is granted")?.token;
        let folder = TempDir::new()?;
        let kubeconfig = folder.path().join("kubeconfig");
        write(&namespace.cluster.kubeconfig, &token, &kubeconfig)?;
        Ok(Self {
            kubeconfig,
            namespace: namespace.name.clone(),
            folder,
        })
    }

    /// What the program prints.
    ///
    /// # Errors
    /// If it fails; with its words.
    pub fn told(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(arguments)?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "kubectl shrewd {}: {words}",
            arguments.join(" ")
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The words with which the program refuses.
    ///
    /// # Errors
    /// If it does not fail.
    pub fn refused(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(arguments)?;
        ensure!(
            !output.status.success(),
            "kubectl shrewd {}: no failure",
            arguments.join(" ")
        );
        Ok(String::from_utf8(output.stderr)?)
    }

    /// What kubectl offers for the last word of `kubectl shrewd WORDS…`, where the program is installed as its page says.
    /// The last line says what the shell is to do.
    ///
    /// # Errors
    /// If kubectl is not in `PATH`, or fails.
    pub fn offered(&self, words: &[&str]) -> Result<Vec<String>> {
        let installed = self.folder.path().join("bin");
        if !installed.exists() {
            fs::create_dir(&installed)?;
            for name in [PROGRAM, COMPLETING] {
                symlink(program()?, installed.join(name))?;
            }
        }
        let path = env::var("PATH")?;
        let output = Command::new("kubectl")
            .args(["__complete", "shrewd", "--kubeconfig"])
            .arg(&self.kubeconfig)
            .args(["--namespace", &self.namespace])
            .args(words)
            .env("PATH", format!("{}:{path}", installed.display()))
            .output()
            .context("run kubectl")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout)?;
        Ok(lines.lines().map(str::to_owned).collect())
    }

    /// Runs the program. Its exit code is a part of the answer.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        let output = Command::new(program()?)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["--namespace", &self.namespace])
            .args(arguments)
            .current_dir(self.folder.path())
            .output();
        output.context("run kubectl-shrewd; it is built by `make build`")
    }
}

/// The program, which is built beside the tests.
pub(crate) fn program() -> Result<PathBuf> {
    let test = env::current_exe()?;
    let program = test.ancestors().nth(2).map(|folder| folder.join(PROGRAM));
    program.context("a test is in a folder")
}

/// The kubeconfig of the cluster's administrator, with another person's token.
fn write(from: &Path, token: &str, to: &Path) -> Result<()> {
    let mut config = Kubeconfig::read_from(from)?;
    for user in &mut config.auth_infos {
        user.auth_info = Some(serde_json::from_value(json!({"token": token}))?);
    }
    Ok(std::fs::write(to, serde_yaml::to_string(&config)?)?)
}
