//! A pod's state in Kubernetes, and the end of its process from outside.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{ContainerState, Pod};

use crate::machine;

/// Reasons of a waiting container that are final here: every image was loaded into the cluster before, and it reaches
/// no registry to pull from.
const NO_IMAGE: [&str; 4] = [
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
];

/// Restarts of a pod's containers.
#[must_use]
pub fn restarts(pod: &Pod) -> i32 {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    statuses
        .into_iter()
        .flatten()
        .map(|container| container.restart_count)
        .sum()
}

/// Whether a pod's Services may send clients to it.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Sends SIGKILL to a pod's only process, from outside: the images have no shell, and a deleted pod gets SIGTERM first.
///
/// # Errors
/// If the pod has no running container, or the node's container runtime refuses.
pub fn kill_process(pod: &Pod) -> Result<()> {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    let id = statuses
        .and_then(|all| all.first()?.container_id.as_deref())
        .context("the pod has no container")?;
    let id = id.trim_start_matches("containerd://");
    let command = [
        "ctr",
        "--namespace",
        "k8s.io",
        "tasks",
        "kill",
        "--signal",
        "SIGKILL",
        id,
    ];
    machine::run(node_of(pod)?, &command).map(drop)
}

/// The node it is on.
///
/// # Errors
/// If it is on none yet.
pub fn node_of(pod: &Pod) -> Result<&str> {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    node.context("the pod is on no node")
}

/// Whether a container of the pod runs.
#[must_use]
pub fn is_running(pod: &Pod) -> bool {
    states(pod).any(|state| state.running.is_some())
}

/// Why a pod will never run, or never again; none if it still may.
#[must_use]
pub fn lost(pod: &Pod) -> Option<String> {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if phase == Some("Failed") {
        let ended = states(pod).filter_map(|state| state.terminated.as_ref());
        let codes: Vec<i32> = ended.map(|ended| ended.exit_code).collect();
        return Some(format!("it has failed; exit codes: {codes:?}"));
    }
    let waiting = states(pod).filter_map(|state| state.waiting.as_ref());
    waiting
        .filter_map(|waiting| waiting.reason.as_deref())
        .find(|reason| NO_IMAGE.contains(reason))
        .map(|reason| format!("it has no image: {reason}"))
}

fn states(pod: &Pod) -> impl Iterator<Item = &ContainerState> {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    statuses
        .into_iter()
        .flatten()
        .filter_map(|container| container.state.as_ref())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(phase: &str, state: &Value) -> Pod {
        let container = json!({
            "name": "ask", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state,
        });
        serde_json::from_value(json!({"status": {"phase": phase, "containerStatuses": [container]}})).unwrap()
    }

    #[test]
    fn only_a_pod_that_can_never_run_is_lost() {
        let cases = [
            (
                "Failed",
                json!({"terminated": {"exitCode": 2}}),
                Some("it has failed; exit codes: [2]"),
            ),
            (
                "Pending",
                json!({"waiting": {"reason": "ImagePullBackOff"}}),
                Some("it has no image: ImagePullBackOff"),
            ),
            ("Pending", json!({"waiting": {"reason": "ContainerCreating"}}), None),
            ("Running", json!({"running": {}}), None),
            ("Running", json!({"waiting": {"reason": "CrashLoopBackOff"}}), None),
            ("Succeeded", json!({"terminated": {"exitCode": 0}}), None),
        ];
        for (phase, state, expected) in cases {
            assert_eq!(lost(&pod(phase, &state)).as_deref(), expected, "{phase} {state}");
        }
        assert_eq!(lost(&Pod::default()), None);
    }
}
