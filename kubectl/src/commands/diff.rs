//! `diff`: what applying a manifest does.

use std::{io::Read as _, path::Path};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize as _;
use serde_json::Value;

use crate::{changes, changes::Plan, cluster::Cluster, indexers, screen, style::Style, takeover::Takeover};

/// Far more than a repository of Indexers has.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// What comes of applying a file, from the least to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing changes.
    Same,
    /// Something changes.
    Differs,
    /// A part of it is refused.
    Refused,
}

/// What applying each Indexer of a file does. Those that stay as they are are not mentioned.
///
/// # Errors
/// If the file or what is in the cluster cannot be read.
pub async fn diff(cluster: &Cluster, file: &Path, namespace: Option<&str>, style: Style) -> Result<(String, Outcome)> {
    let text = contents(file).with_context(|| format!("read {}", file.display()))?;
    let manifests = indexers_of(&text).with_context(|| format!("read {}", file.display()))?;
    let (mut said, mut worst) = (String::new(), Outcome::Same);
    for manifest in &manifests {
        let name = manifest["metadata"]["name"]
            .as_str()
            .context("an Indexer has no metadata.name")?;
        let cluster = within(cluster, manifest, namespace)?;
        let live = indexers::find_raw(&cluster, name).await?;
        let plan = changes::plan(live.as_ref(), manifest)?;
        let outcome = outcome(&plan);
        if outcome > Outcome::Same {
            said += &screen::diff::diff(name, &cluster.namespace, &plan, style);
        }
        worst = worst.max(outcome);
    }
    Ok((said, worst))
}

fn outcome(plan: &Plan) -> Outcome {
    let is_refused = plan.changes.iter().any(|change| change.is_refused);
    match &plan.takeover {
        _ if is_refused || !plan.problems.is_empty() => Outcome::Refused,
        Some(Takeover::Refused(_)) => Outcome::Refused,
        Some(Takeover::None) if plan.changes.is_empty() => Outcome::Same,
        _ => Outcome::Differs,
    }
}

/// The cluster with the namespace of a manifest. As with kubectl, a flag may not contradict it.
fn within(cluster: &Cluster, manifest: &Value, flag: Option<&str>) -> Result<Cluster> {
    let declared = manifest["metadata"]["namespace"].as_str();
    if let (Some(declared), Some(flag)) = (declared, flag)
        && declared != flag
    {
        bail!("the manifest is of namespace {declared}, and --namespace says {flag}");
    }
    Ok(Cluster {
        namespace: declared.unwrap_or(&cluster.namespace).to_owned(),
        ..cluster.clone()
    })
}

/// The text of a file; of `-`, standard input.
fn contents(file: &Path) -> Result<String> {
    let mut text = String::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin()
            .lock()
            .take(MANIFEST_BYTES_MAX + 1)
            .read_to_string(&mut text)?,
        _ => std::fs::File::open(file)?
            .take(MANIFEST_BYTES_MAX + 1)
            .read_to_string(&mut text)?,
    };
    if u64::try_from(read).is_ok_and(|read| read > MANIFEST_BYTES_MAX) {
        bail!("it has more than {MANIFEST_BYTES_MAX} bytes");
    }
    Ok(text)
}

/// The Indexers among the documents of a file.
fn indexers_of(text: &str) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let document = Value::deserialize(document)?;
        let is_ours = document["apiVersion"]
            .as_str()
            .is_some_and(|version| version.starts_with("shrewd.dev/"));
        if is_ours && document["kind"] == "Indexer" {
            found.push(document);
        }
    }
    if found.is_empty() {
        bail!("it has no Indexer");
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexers_are_found_among_other_documents() {
        let text = "kind: Secret\n---\napiVersion: shrewd.dev/v1alpha1\nkind: Indexer\nmetadata: {name: a}\n---\n";
        let found = indexers_of(text).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["metadata"]["name"], "a");
        assert_eq!(
            indexers_of("kind: Secret").unwrap_err().to_string(),
            "it has no Indexer"
        );
    }
}
