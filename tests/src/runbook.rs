//! What the runbook of an alert says to check, done while the alert fires.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::Value;

use crate::{cluster::Cluster, person};

/// A page for each alert, named like it.
const PAGES: &str = "../docs/src/runbooks";
/// Stands before each block of commands that is done.
const MARK: &str = "<!-- read and run by tests/src/runbook.rs -->";
/// The folder, if any, that gets a file for each alert and severity: the commands, and what they printed.
const RECORDED_IN: &str = "SHREWD_RUNBOOKS";

/// The commands of a page, each with the lines that continue it.
fn commands(page: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut lines = page.lines();
    while lines.by_ref().any(|line| line == MARK) {
        let block = lines.by_ref().skip(1).take_while(|line| *line != "```");
        for line in block {
            match commands.last_mut() {
                Some(last) if last.ends_with(['\\', '|']) => *last += &format!("\n{line}"),
                _ => commands.push(line.to_owned()),
            }
        }
    }
    commands
}

/// Does what the runbook of an alert says to check, with the names that its labels have. Whoever is woken does the same.
///
/// # Errors
/// If there is no such page, or a command of it fails, or shows nothing of an Indexer; with what it printed.
pub async fn follow(cluster: &Cluster, alert: &str, severity: &str, labels: &Value) -> Result<()> {
    let page = Path::new(PAGES).join(format!("{alert}.md"));
    let page = fs::read_to_string(&page).with_context(|| format!("read {}", page.display()))?;
    let commands = commands(&page);
    ensure!(!commands.is_empty(), "{alert}: its runbook has nothing to check");
    let names = names(cluster, labels).await?;
    let mut record = String::new();
    for command in commands {
        let output = run(cluster, &replaced(&command, &names))?;
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        record += &format!("$ {command}\n{said}");
        if let Some(folder) = env::var_os(RECORDED_IN) {
            fs::write(PathBuf::from(folder).join(format!("{alert}-{severity}.txt")), &record)?;
        }
        let is_of_use = output.status.success() && shows(&command, &output.stdout);
        ensure!(is_of_use, "{alert}: a command of its runbook is of no use\n{record}");
    }
    Ok(())
}

/// Whether a command shows what it is for. What is listed may be nothing; a field of an Indexer has to be there.
fn shows(command: &str, printed: &[u8]) -> bool {
    let shown = printed.trim_ascii();
    !command.contains("jq") || !(shown.is_empty() || shown == b"null")
}

/// What stands on the pages, and what is meant here.
async fn names(cluster: &Cluster, labels: &Value) -> Result<Vec<(&'static str, String)>> {
    let of = |label: &str| labels[label].as_str().map(str::to_owned);
    let (Some(namespace), Some(indexer)) = (of("namespace"), of("indexer")) else {
        return Ok(Vec::new());
    };
    let pod = match of("pod") {
        Some(pod) => Some(pod),
        None => {
            let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &namespace);
            let of_indexer = ListParams::default().labels(&format!("shrewd.dev/indexer={indexer}"));
            pods.list(&of_indexer).await?.items.first().map(ResourceExt::name_any)
        }
    };
    let pod = pod.map(|pod| ("POD", pod));
    let names = pod.into_iter().chain([("NAMESPACE", namespace), ("INDEXER", indexer)]);
    Ok(names.collect())
}

fn replaced(command: &str, names: &[(&str, String)]) -> String {
    let replace = |text: String, (placeholder, name): &(&str, String)| text.replace(placeholder, name);
    names.iter().fold(command.to_owned(), replace)
}

/// With the programs that its reader has: kubectl, its plugin, and filters.
fn run(cluster: &Cluster, command: &str) -> Result<Output> {
    let plugin = person::program()?;
    let folder = plugin.parent().context("a program is in a folder")?;
    let path = format!("{}:{}", folder.display(), env::var("PATH")?);
    Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", command])
        .env("PATH", path)
        .env("KUBECONFIG", &cluster.kubeconfig)
        .stdin(Stdio::null())
        .output()
        .context("run bash")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_those_behind_the_mark_with_the_lines_that_continue_them() {
        let page = format!(
            "# A\n\n```sh\nnot this\n```\n{MARK}\n```sh\none\ntwo \\\n  more |\n  jq\n```\nwords\n{MARK}\n```sh\nthree\n```\n"
        );
        assert_eq!(commands(&page), ["one", "two \\\n  more |\n  jq", "three"]);
        assert_eq!(commands("# A\n```sh\nnot this\n```\n"), [""; 0]);
    }

    #[test]
    fn a_field_that_is_not_there_shows_nothing() {
        for printed in ["", "\n", "null\n"] {
            assert!(!shows(
                "kubectl get indexer x -o jsonpath='{.status.y}' | jq",
                printed.as_bytes()
            ));
        }
        assert!(shows("kubectl get indexer x -o jsonpath='{.status.y}' | jq", b"{}\n"));
        assert!(shows("kubectl get events", b""));
    }

    #[test]
    fn placeholders_are_replaced() {
        let names = [("POD", "one-0".to_owned()), ("INDEXER", "one".to_owned())];
        assert_eq!(replaced("logs POD -l x=INDEXER", &names), "logs one-0 -l x=one");
    }
}
