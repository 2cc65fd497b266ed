//! The bound on voluntary disruptions: drains and evictions remove at most one pod of the serving revision at a time.
//! Other revisions have no clients, and pods that are not ready yet would use up the allowance.

use crds::Revision;
use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::metadata::metadata;
use crate::{names, validate::ValidIndexer};

pub(super) fn build(valid: &ValidIndexer, serving: &Revision) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: metadata(valid, names::shared(&valid.name), None),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(names::selector(&valid.name, serving)),
                ..LabelSelector::default()
            }),
            // A pod that is not ready has no clients: a halted index must not block the drain of its node.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}
