//! (pure) What applying a manifest changes.

use std::collections::{BTreeMap, BTreeSet};

use crds::{ByteSize, Identity, IndexerSpec, Resolved, RolloutStrategy, remedy, resolve, unknown_fields};
use serde::Deserialize as _;
use serde_json::Value;

use crate::{
    effects::{Effect, effect},
    merge::merged,
    names,
    takeover::{self, Takeover},
};

/// What a manifest changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What happens to the revisions; none where the manifest is refused.
    pub takeover: Option<Takeover>,
    /// Each field that changes.
    pub changes: Vec<Change>,
    /// Why it is refused.
    pub problems: Vec<String>,
}

/// A field that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its path.
    pub field: String,
    /// Its value now; empty if it has none.
    pub before: String,
    /// Its value after.
    pub after: String,
    /// What the change does.
    pub does: String,
    /// Whether it is refused.
    pub is_refused: bool,
}

/// A resource whose spec this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error("the Indexer in the cluster has a spec that this version of kubectl-shrewd cannot read")]
pub struct Unreadable(#[source] serde_json::Error);

/// What applying a manifest to a live object changes; without one, the manifest creates it.
///
/// # Errors
/// If the live object cannot be read.
pub fn plan(live: Option<&Value>, manifest: &Value) -> Result<Plan, Unreadable> {
    let mut problems: Vec<String> = unknown_fields(manifest)
        .into_iter()
        .map(|path| format!("{path}: an Indexer has no such field"))
        .collect();
    let wanted = live.map_or_else(|| manifest["spec"].clone(), |live| merged(live, manifest));
    let refused = |problems: Vec<String>| Plan {
        takeover: None,
        changes: Vec::new(),
        problems,
    };
    let wanted = match IndexerSpec::deserialize(&wanted) {
        Ok(wanted) => wanted,
        Err(error) => {
            problems.push(format!("spec: {error}"));
            return Ok(refused(problems));
        }
    };
    problems.extend(local_only(&wanted));
    let resolved = resolve(&wanted).map_err(|found| problems.extend(found.iter().map(ToString::to_string)));
    let Some(live) = live else {
        let takeover = resolved
            .ok()
            .map(|resolved| Takeover::Created(resolved.identity.revision()));
        return Ok(Plan {
            takeover,
            ..refused(problems)
        });
    };
    let before = IndexerSpec::deserialize(&live["spec"]).map_err(Unreadable)?;
    let old_identity = resolve(&before).ok().map(|resolved| resolved.identity);
    let new_identity = resolved.as_ref().ok().map(|resolved| resolved.identity.clone());
    let mut changes = spec_changes(&before, &wanted, old_identity == new_identity);
    changes.extend(metadata_changes(live, manifest));
    Ok(Plan {
        takeover: consequence(live, &wanted, old_identity.as_ref(), resolved.as_ref().ok()),
        changes,
        problems,
    })
}

fn consequence(
    live: &Value,
    wanted: &IndexerSpec,
    before: Option<&Identity>,
    resolved: Option<&Resolved>,
) -> Option<Takeover> {
    let after = &resolved?.identity;
    let revision = |role: &str| live["status"][role]["revision"].as_str();
    let in_place = wanted.rollout.strategy == RolloutStrategy::InPlace;
    let seeded = wanted.rollout.seed.is_some();
    let serving = takeover::Serving {
        active: revision("active"),
        previous: revision("previous"),
    };
    Some(takeover::takeover(before, after, serving, in_place, seeded))
}

/// What names files of a machine, which pods do not have.
fn local_only(spec: &IndexerSpec) -> Vec<String> {
    let is_folder = |url: Option<&String>| url.is_some_and(|url| url.starts_with("file:"));
    let bootstrap = spec.bootstrap.as_ref().map(|bootstrap| &bootstrap.snapshot.url);
    let snapshots = spec.snapshots.as_ref().map(|snapshots| &snapshots.url);
    let found = [
        (spec.module.path.is_some(), "spec.module.path", "ModulePathNotForPods"),
        (
            spec.chain.source.block_files.is_some(),
            "spec.chain.source.blockFiles",
            "BlockFilesNotForPods",
        ),
        (
            is_folder(bootstrap),
            "spec.bootstrap.snapshot.url",
            "SnapshotFolderNotForPods",
        ),
        (is_folder(snapshots), "spec.snapshots.url", "SnapshotFolderNotForPods"),
    ];
    let problems = found.into_iter().filter(|(is_local, ..)| *is_local);
    problems
        .map(|(_, field, reason)| format!("{field}: {}", remedy(reason).unwrap_or_default()))
        .collect()
}

fn spec_changes(before: &IndexerSpec, wanted: &IndexerSpec, same_identity: bool) -> Vec<Change> {
    // Types of the spec all have a JSON form.
    let fields = |spec: &IndexerSpec| {
        let mut leaves = BTreeMap::new();
        collect("", &serde_json::to_value(spec).unwrap_or_default(), &mut leaves);
        leaves
    };
    let changed = differing(&fields(before), &fields(wanted));
    changed
        .into_iter()
        .map(|(path, before, after)| {
            let effect = effect(&path);
            let is_refused = matches!(effect, Some(Effect::Immutable | Effect::LocalOnly));
            Change {
                does: does(&path, effect, same_identity, &before, &after),
                field: format!("spec.{path}"),
                before,
                after,
                is_refused,
            }
        })
        .collect()
}

/// The effect of a change, in words. Some depend on the values.
fn does(path: &str, effect: Option<Effect>, same_identity: bool, before: &str, after: &str) -> String {
    let bytes = |text: &str| ByteSize(text.to_owned()).bytes().ok();
    let words = match (path, effect) {
        ("suspend", _) if after == "true" => "pods are removed, data is kept",
        ("suspend", _) => "pods start, with their data",
        ("replicas", _) => "in place: pods are added or removed",
        ("storage.size", _) if bytes(after) < bytes(before) => {
            "no volume becomes smaller; volumes of a new identity begin with it"
        }
        ("storage.size", _) => "in place, with pods left running",
        (_, Some(Effect::NewIdentity)) if same_identity => "nothing: it is the same value",
        (_, Some(effect)) => effect.words(),
        (_, None) => "this version of kubectl-shrewd does not know it",
    };
    words.to_owned()
}

/// Labels and annotations that a manifest sets. They are no part of the spec: pods do not notice.
fn metadata_changes(live: &Value, manifest: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    for kind in ["labels", "annotations"] {
        for (key, value) in manifest["metadata"][kind].as_object().into_iter().flatten() {
            let (before, after) = (shown(&live["metadata"][kind][key]), shown(value));
            if before != after {
                let does = match key == names::REFRESH {
                    true => "every pod makes a fresh instance of its guest",
                    false => "nothing: it is on the Indexer alone",
                };
                changes.push(Change {
                    field: format!("metadata.{kind}.{key}"),
                    before,
                    after,
                    does: does.into(),
                    is_refused: false,
                });
            }
        }
    }
    changes
}

/// The values of a document by their paths; lists are values.
fn collect(path: &str, value: &Value, leaves: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                collect(&path, value, leaves);
            }
        }
        value => {
            leaves.insert(path.to_owned(), shown(value));
        }
    }
}

fn differing(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<(String, String, String)> {
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |of: &BTreeMap<String, String>, path: &String| of.get(path).cloned().unwrap_or_default();
    paths
        .into_iter()
        .map(|path| (path.clone(), value(before, path), value(after, path)))
        .filter(|(_, before, after)| before != after)
        .collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
