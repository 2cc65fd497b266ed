//! `spec.placement`: where pods run.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration, TopologySpreadConstraint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kubernetes;

/// Where pods run: the fields of a pod with these names, for the pods of every revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacementSpec {
    /// Labels that a node must have. `kubernetes.io/arch: amd64`, which images are made for, is added unless this or what
    /// `affinity.nodeAffinity` requires says something of `kubernetes.io/arch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kubernetes::own::<BTreeMap<String, String>>")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints of nodes that keep no pod away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kubernetes::own::<Vec<Toleration>>")]
    pub tolerations: Option<Vec<Toleration>>,
    /// Rules on nodes and on pods beside. Without `podAntiAffinity` here and without `topologySpreadConstraints`, pods of
    /// a revision are on different nodes and in different zones where possible. A term of `podAntiAffinity` without
    /// `labelSelector` is about the pods of the same revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kubernetes::own::<Affinity>")]
    pub affinity: Option<Affinity>,
    /// How evenly pods are spread. One without `labelSelector` counts the pods of the same revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kubernetes::own::<Vec<TopologySpreadConstraint>>")]
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,
    /// The `PriorityClass` of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
}
