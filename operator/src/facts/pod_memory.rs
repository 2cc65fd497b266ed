//! (pure) The memory of a pod's container, as Kubernetes has it.

use k8s_openapi::{
    api::core::v1::{ContainerStatus, Pod, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};

use crate::{names, quantity};

/// What a container is to have, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerMemory {
    /// Its request; none if it has none.
    pub request: Option<u64>,
    /// Its limit; none if it has none.
    pub limit: Option<u64>,
}

impl ContainerMemory {
    /// That of these resources.
    #[must_use]
    pub fn of(resources: &ResourceRequirements) -> Self {
        let memory = |map: &Option<std::collections::BTreeMap<String, Quantity>>| {
            let quantity = map.as_ref()?.get("memory")?;
            quantity::bytes(&quantity.0)
        };
        Self {
            request: memory(&resources.requests),
            limit: memory(&resources.limits),
        }
    }

    /// That of the indexer in a pod, as its spec has it.
    pub(super) fn read(pod: &Pod) -> Self {
        let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice());
        let own = containers
            .unwrap_or_default()
            .iter()
            .find(|c| c.name == names::CONTAINER);
        let resources = own.and_then(|container| container.resources.as_ref());
        resources.map(Self::of).unwrap_or_default()
    }
}

/// Why a pod does not have the memory that its spec gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeProblem {
    /// Its node has no room for it now.
    Deferred,
    /// Its node is too small for it.
    Infeasible,
}

impl ResizeProblem {
    /// What the kubelet says of a pod. Its words name what else the node has at the moment, so they are left out.
    pub(super) fn read(pod: &Pod) -> Option<Self> {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let is_pending = |type_: &str, status: &str| type_ == "PodResizePending" && status == "True";
        let pending = conditions.iter().find(|c| is_pending(&c.type_, &c.status))?;
        match pending.reason.as_deref() {
            Some("Infeasible") => Some(Self::Infeasible),
            _ => Some(Self::Deferred),
        }
    }
}

/// Whether the last end of a container was one for its memory.
pub(super) fn was_out_of_memory(container: &ContainerStatus) -> bool {
    let states = [container.state.as_ref(), container.last_state.as_ref()];
    let mut ends = states
        .into_iter()
        .flatten()
        .filter_map(|state| state.terminated.as_ref());
    ends.any(|ended| ended.reason.as_deref() == Some("OOMKilled"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_memory_of_the_indexer_is_read_and_no_other() {
        let pod = |containers: serde_json::Value| -> Pod {
            serde_json::from_value(json!({"metadata": {}, "spec": {"containers": containers}})).unwrap()
        };
        let proxy = json!({"name": "proxy", "resources": {"limits": {"memory": "1Gi"}}});
        let own = json!({"name": "indexer", "resources": {"requests": {"memory": "64Mi", "cpu": "1"}}});
        let expected = ContainerMemory {
            request: Some(64 << 20),
            limit: None,
        };
        assert_eq!(ContainerMemory::read(&pod(json!([proxy, own]))), expected);
        assert_eq!(ContainerMemory::read(&pod(json!([proxy]))), ContainerMemory::default());
    }

    #[test]
    fn a_pending_resize_is_read() {
        let pod = |type_: &str, status: &str, reason: &str| -> Pod {
            let condition = json!({"type": type_, "status": status, "reason": reason, "message": "used: 7"});
            serde_json::from_value(json!({"metadata": {}, "status": {"conditions": [condition]}})).unwrap()
        };
        let cases = [
            (
                pod("PodResizePending", "True", "Deferred"),
                Some(ResizeProblem::Deferred),
            ),
            (
                pod("PodResizePending", "True", "Infeasible"),
                Some(ResizeProblem::Infeasible),
            ),
            (pod("PodResizePending", "False", "Infeasible"), None),
            (pod("PodResizeInProgress", "True", ""), None),
        ];
        for (pod, expected) in cases {
            assert_eq!(ResizeProblem::read(&pod), expected, "{pod:?}");
        }
    }

    #[test]
    fn an_end_for_memory_is_told_from_others() {
        let container = |last: &str| -> ContainerStatus {
            let state = json!({"terminated": {"exitCode": 137, "reason": last}});
            serde_json::from_value(json!({"name": "indexer", "image": "i", "imageID": "", "ready": true,
                                          "restartCount": 1, "state": {"running": {}}, "lastState": state}))
            .unwrap()
        };
        assert!(was_out_of_memory(&container("OOMKilled")));
        assert!(!was_out_of_memory(&container("Error")));
    }
}
