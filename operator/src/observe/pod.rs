//! [pure] What matters of a pod, as Kubernetes has it.

use crds::Revision;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use kube::ResourceExt;
use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};

use crate::{
    names,
    sampler::{Key, Sample, Target},
};

/// A pod reduced to what decisions are made of.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedPod {
    /// Its name.
    pub name: String,
    /// Its unique id.
    pub uid: String,
    /// The revision it runs.
    pub revision: Revision,
    /// The revision of the pod template it was made from, as the `StatefulSet` names it.
    pub template: Option<String>,
    /// Whether it is in the Service.
    pub ready: bool,
    /// Whether it is on its way out.
    pub terminating: bool,
    /// Restarts of its container.
    pub restarts: i32,
    /// Why Kubernetes cannot run it, in Kubernetes' words.
    pub trouble: Option<String>,
    /// Where to ask it, while its container runs.
    pub target: Option<Target>,
    /// What it said last.
    pub sample: Sample,
}

impl ObservedPod {
    /// Reads a pod; none if it carries no revision, so that it is none of ours.
    #[must_use]
    pub fn read(pod: &Pod, key: &Key) -> Option<Self> {
        let revision = revision(pod.labels().get(names::LABEL_REVISION)?)?;
        let status = pod.status.as_ref();
        let container = status
            .and_then(|s| s.container_statuses.as_ref())
            .and_then(|c| c.first());
        let uid = pod.uid()?;
        let restarts = container.map_or(0, |c| c.restart_count);
        let is_running = container
            .and_then(|c| c.state.as_ref())
            .is_some_and(|s| s.running.is_some());
        let address = status.and_then(|s| s.pod_ip.as_ref()).and_then(|ip| ip.parse().ok());
        let target = address.filter(|_| is_running).map(|address| Target {
            pod: pod.name_any(),
            uid: uid.clone(),
            restarts,
            address,
            indexer: key.to_string(),
            revision: revision.clone(),
        });
        let ready = condition(pod, "Ready").is_some_and(|(status, _)| status == "True");
        Some(Self {
            name: pod.name_any(),
            uid,
            revision,
            template: pod.labels().get("controller-revision-hash").cloned(),
            ready,
            terminating: pod.metadata.deletion_timestamp.is_some(),
            restarts,
            trouble: container
                .and_then(container_trouble)
                .or_else(|| unschedulable(pod))
                .or_else(|| failed(pod)),
            target,
            sample: Sample::NotRunning,
        })
    }
}

fn revision(label: &str) -> Option<Revision> {
    let text: value::StrDeserializer<'_, value::Error> = label.into_deserializer();
    Revision::deserialize(text).ok()
}

fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<(&'a str, String)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|c| c.type_ == type_)?;
    let words = [found.reason.as_deref(), found.message.as_deref()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    Some((found.status.as_str(), words.join(": ")))
}

fn unschedulable(pod: &Pod) -> Option<String> {
    condition(pod, "PodScheduled")
        .filter(|(status, _)| *status == "False")
        .map(|(_, words)| words)
}

fn failed(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref().filter(|s| s.phase.as_deref() == Some("Failed"))?;
    let words = [status.reason.as_deref(), status.message.as_deref()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    Some(if words.is_empty() {
        "Failed".into()
    } else {
        words.join(": ")
    })
}

/// Words for a container that cannot start or ended. The same trouble always gets the same words, although Kubernetes
/// alternates between two states of it and counts the seconds to the next try.
fn container_trouble(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    if let Some(ended) = state.terminated.as_ref() {
        return exit(ended);
    }
    let ended_before = container
        .last_state
        .as_ref()
        .and_then(|s: &ContainerState| s.terminated.as_ref());
    let Some(waiting) = state.waiting.as_ref() else {
        return if container.ready {
            None
        } else {
            ended_before.and_then(exit)
        };
    };
    let message = waiting.message.as_deref().unwrap_or_default();
    match waiting.reason.as_deref().unwrap_or_default() {
        "" | "ContainerCreating" | "PodInitializing" => None,
        "ErrImagePull" | "ImagePullBackOff" => {
            let (_, cause) = message.split_once("ErrImagePull: ").unwrap_or(("", message));
            Some(format!("ImagePullBackOff: {cause}"))
        }
        "CrashLoopBackOff" => ended_before.and_then(exit).or_else(|| Some("CrashLoopBackOff".into())),
        reason => Some(format!("{reason}: {message}")),
    }
}

fn exit(ended: &ContainerStateTerminated) -> Option<String> {
    if ended.exit_code == 0 {
        return None;
    }
    let mut words = format!("the container ended with exit code {}", ended.exit_code);
    for part in [&ended.reason, &ended.message]
        .into_iter()
        .flatten()
        .filter(|part| *part != "Error")
    {
        words.push_str(": ");
        words.push_str(part.trim());
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    fn read(status: serde_json::Value) -> ObservedPod {
        ObservedPod::read(&fixtures::pod("one-0", status), &fixtures::key()).unwrap()
    }

    #[test]
    fn a_running_pod_can_be_asked_and_has_no_trouble() {
        let pod = read(fixtures::running_status());
        assert_eq!(pod.target.unwrap().address.to_string(), "10.0.0.7");
        assert!(pod.ready);
        assert_eq!(pod.trouble, None);
    }

    #[test]
    fn troubles_have_steady_words() {
        let pull = "ImagePullBackOff: not found";
        let crash = "the container ended with exit code 1: out of disk";
        let terminated = json!({"exitCode": 1, "reason": "Error", "message": "out of disk\n"});
        let cases = [
            (
                json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}}),
                json!({}),
                Some(pull),
            ),
            (
                json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling \"x\": ErrImagePull: not found"}}),
                json!({}),
                Some(pull),
            ),
            (json!({"terminated": terminated}), json!({}), Some(crash)),
            (
                json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}}),
                json!({"terminated": terminated}),
                Some(crash),
            ),
            (json!({"running": {}}), json!({"terminated": terminated}), Some(crash)),
            (json!({"running": {}}), json!({"terminated": {"exitCode": 0}}), None),
            (json!({"waiting": {"reason": "ContainerCreating"}}), json!({}), None),
        ];
        for (state, last, expected) in cases {
            let container = json!({"name": "indexer", "image": "i", "imageID": "", "ready": false, "restartCount": 1,
                                   "state": state, "lastState": last});
            let pod = read(json!({"containerStatuses": [container]}));
            assert_eq!(pod.trouble.as_deref(), expected, "{state}");
        }
    }

    #[test]
    fn a_pod_that_fits_nowhere_says_why() {
        let unschedulable = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                                   "message": "0/2 nodes are available: 2 Insufficient memory."});
        let pod = read(json!({"phase": "Pending", "conditions": [unschedulable]}));
        assert_eq!(
            pod.trouble.unwrap(),
            "Unschedulable: 0/2 nodes are available: 2 Insufficient memory."
        );
        assert_eq!(pod.target, None);
    }
}
