//! `spec.access`: who may reach the pods.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::kubernetes;

/// Who may reach the pods over the network, beside the operator and each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct AccessSpec {
    /// Who may send queries to port 8080; anyone if this is left out, nobody if it is empty.
    #[x_kube(validation = Rule::new("self.all(peer, has(peer.ipBlock) != (has(peer.podSelector) || has(peer.namespaceSelector)))").message("each peer of access.clients must have either ipBlock, or podSelector, namespaceSelector or both"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kubernetes::own::<Vec<NetworkPolicyPeer>>")]
    pub clients: Option<Vec<NetworkPolicyPeer>>,
    /// Who may reach port 9090, which has the metrics: a Prometheus.
    #[x_kube(validation = Rule::new("self.all(peer, has(peer.ipBlock) != (has(peer.podSelector) || has(peer.namespaceSelector)))").message("each peer of access.metrics must have either ipBlock, or podSelector, namespaceSelector or both"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kubernetes::own::<Vec<NetworkPolicyPeer>>")]
    pub metrics: Option<Vec<NetworkPolicyPeer>>,
}
