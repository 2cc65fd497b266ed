//! `spec.podMetadata`: labels and annotations of pods.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::kubernetes;

/// The longest value of an annotation that pods are given, in characters. Some have whole configurations in them.
const ANNOTATION_MAX: usize = 4096;
/// The start of keys that are the operator's to set.
const OURS: &str = "shrewd.dev/";
/// Labels of pods that the operator sets, beside those that begin with [`OURS`].
const OURS_TOO: [&str; 5] = [
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
];

/// Labels and annotations of pods, beside those that the operator sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
pub struct PodMetadataSpec {
    /// Labels: for cost centres, network policies, sidecar injectors.
    #[x_kube(validation = Rule::new("self.all(key, !key.startsWith('shrewd.dev/') && !(key in ['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component', 'app.kubernetes.io/part-of', 'app.kubernetes.io/managed-by']))").message("podMetadata.labels must leave shrewd.dev/… and app.kubernetes.io/name, instance, component, part-of and managed-by to the operator"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kubernetes::own::<BTreeMap<String, String>>")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations.
    #[x_kube(validation = Rule::new("self.all(key, !key.startsWith('shrewd.dev/'))").message("podMetadata.annotations must leave shrewd.dev/… to the operator"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kubernetes::bounded::<BTreeMap<String, String>, ANNOTATION_MAX>")]
    pub annotations: Option<BTreeMap<String, String>>,
}

impl PodMetadataSpec {
    /// The keys that are the operator's to set: those that the rules of the schema refuse.
    pub fn reserved(&self) -> impl Iterator<Item = &String> {
        let labels = self.labels.iter().flat_map(BTreeMap::keys);
        let labels = labels.filter(|key| key.starts_with(OURS) || OURS_TOO.contains(&key.as_str()));
        let annotations = self.annotations.iter().flat_map(BTreeMap::keys);
        labels.chain(annotations.filter(|key| key.starts_with(OURS)))
    }
}
