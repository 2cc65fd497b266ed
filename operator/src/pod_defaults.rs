//! (pure) What holds for the pods of every Indexer whose spec says nothing else.

use std::{collections::BTreeMap, str::FromStr};

use crds::{IndexerSpec, PlacementSpec, PodMetadataSpec, SecretRef};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Defaults of the fields of a spec that have these names.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PodDefaults {
    placement: PlacementSpec,
    image_pull_secrets: Vec<SecretRef>,
    pod_metadata: PodMetadataSpec,
}

/// Defaults that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// They are no JSON, or not of these types.
    #[error("not readable as {{\"placement\": …, \"imagePullSecrets\": …, \"podMetadata\": …}}: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// They have fields that do not exist, with their paths.
    #[error("there is no field {}", .0.join(" and no field "))]
    Unknown(Vec<String>),
    /// They have labels or annotations that the operator sets.
    #[error("the key {0} of podMetadata is the operator's to set")]
    Reserved(String),
}

impl FromStr for PodDefaults {
    type Err = Unusable;

    /// Reads JSON as strictly as the API server reads a spec.
    fn from_str(text: &str) -> Result<Self, Unusable> {
        let given: Map<String, Value> = serde_json::from_str(text)?;
        let defaults: Self = serde_json::from_value(given.clone().into())?;
        // The paths begin where they do in a spec.
        let unknown = crds::unknown_fields(&json!({ "spec": given }));
        if !unknown.is_empty() {
            let paths = unknown.iter().map(|path| path.trim_start_matches("spec.").to_owned());
            return Err(Unusable::Unknown(paths.collect()));
        }
        let reserved = defaults.pod_metadata.reserved().next().cloned();
        reserved.map_or(Ok(defaults), |key| Err(Unusable::Reserved(key)))
    }
}

impl PodDefaults {
    /// Where the pods of an Indexer run: each field as its spec has it, else as it is here. Labels of nodes are added to
    /// each other.
    #[must_use]
    pub fn placement(&self, spec: &IndexerSpec) -> PlacementSpec {
        let declared = spec.placement.clone().unwrap_or_default();
        let ours = self.placement.clone();
        PlacementSpec {
            node_selector: merged(ours.node_selector, declared.node_selector),
            tolerations: declared.tolerations.or(ours.tolerations),
            affinity: declared.affinity.or(ours.affinity),
            topology_spread_constraints: declared
                .topology_spread_constraints
                .or(ours.topology_spread_constraints),
            priority_class_name: declared.priority_class_name.or(ours.priority_class_name),
        }
    }

    /// The names of Secrets with which nodes pull the image: those of the spec if it gives any, or an empty list.
    #[must_use]
    pub fn image_pull_secrets(&self, spec: &IndexerSpec) -> Vec<String> {
        let secrets = spec.image_pull_secrets.as_ref().unwrap_or(&self.image_pull_secrets);
        secrets.iter().map(|secret| secret.name.clone()).collect()
    }

    /// Labels and annotations of the pods: those here, and those of the spec, which win.
    #[must_use]
    pub fn pod_metadata(&self, spec: &IndexerSpec) -> PodMetadataSpec {
        let declared = spec.pod_metadata.clone().unwrap_or_default();
        let ours = self.pod_metadata.clone();
        PodMetadataSpec {
            labels: merged(ours.labels, declared.labels),
            annotations: merged(ours.annotations, declared.annotations),
        }
    }
}

type Texts = BTreeMap<String, String>;

fn merged(ours: Option<Texts>, declared: Option<Texts>) -> Option<Texts> {
    match (ours, declared) {
        (Some(mut ours), Some(declared)) => {
            ours.extend(declared);
            Some(ours)
        }
        (ours, declared) => declared.or(ours),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::indexer;

    fn spec(fields: &Value) -> IndexerSpec {
        let mut spec = serde_json::to_value(indexer().spec).unwrap();
        spec.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    fn defaults() -> PodDefaults {
        let given = json!({
            "placement": {"nodeSelector": {"pool": "index", "disk": "nvme"}, "tolerations": [{"key": "a"}],
                          "priorityClassName": "index"},
            "imagePullSecrets": [{"name": "registry"}],
            "podMetadata": {"labels": {"team": "data", "stage": "test"}},
        });
        given.to_string().parse().unwrap()
    }

    #[test]
    fn a_spec_that_says_nothing_gets_the_defaults() {
        let (defaults, spec) = (defaults(), indexer().spec);
        assert_eq!(defaults.placement(&spec), defaults.placement);
        assert_eq!(defaults.image_pull_secrets(&spec), ["registry"]);
        assert_eq!(defaults.pod_metadata(&spec), defaults.pod_metadata);
    }

    #[test]
    fn what_a_spec_says_wins_field_by_field_and_key_by_key() {
        let spec = spec(&json!({
            "placement": {"nodeSelector": {"disk": "sata"}, "tolerations": []},
            "imagePullSecrets": [],
            "podMetadata": {"labels": {"stage": "live"}, "annotations": {"a": "b"}},
        }));
        let expected = json!({"nodeSelector": {"pool": "index", "disk": "sata"}, "tolerations": [],
                              "priorityClassName": "index"});
        assert_eq!(json!(defaults().placement(&spec)), expected);
        assert_eq!(defaults().image_pull_secrets(&spec), [""; 0]);
        let expected = json!({"labels": {"team": "data", "stage": "live"}, "annotations": {"a": "b"}});
        assert_eq!(json!(defaults().pod_metadata(&spec)), expected);
    }

    #[test]
    fn a_mistake_is_named() {
        for (given, words) in [
            (json!([]), "not readable"),
            (json!({"replicas": 2}), "unknown field `replicas`"),
            (
                json!({"placement": {"nodeSelectors": {}, "tolerations": [{"keys": "a"}]}}),
                "no field placement.nodeSelectors and no field placement.tolerations[0].keys",
            ),
            (json!({"placement": {"tolerations": "a"}}), "not readable"),
            (
                json!({"podMetadata": {"labels": {"shrewd.dev/indexer": "a"}}}),
                "the key shrewd.dev/indexer of podMetadata is the operator's",
            ),
        ] {
            let error = given.to_string().parse::<PodDefaults>().unwrap_err().to_string();
            assert!(error.contains(words), "{given}: {error}");
        }
    }
}
