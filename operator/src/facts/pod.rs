//! (pure) A pod as Kubernetes sees it, reduced to what matters.

use std::collections::BTreeMap;

use crds::Revision;
use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated, ContainerStatus, Pod, PodSpec};
use kube::ResourceExt;

use super::{
    pod_memory::{ContainerMemory, ResizeProblem, was_out_of_memory},
    sample::{Sample, Target},
};
use crate::{names, objects::Key};

/// A pod reduced to what decisions are based on.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedPod {
    /// Its name.
    pub name: String,
    /// Its unique id.
    pub uid: String,
    /// Its version, which every change of it changes.
    pub version: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The revision it runs.
    pub revision: Revision,
    /// The revision of the pod template it was made from, as the `StatefulSet` names it.
    pub template: Option<String>,
    /// The hash of that template without its memory, where it was made with one.
    pub same_template: Option<String>,
    /// Whether Kubernetes considers it ready.
    pub ready: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Whether nothing controls it, as while its `StatefulSet` is replaced.
    pub orphan: bool,
    /// Whether the Service does not select it: above all because its digest is not that of the others.
    pub kept_out: bool,
    /// Restarts of its container.
    pub restarts: i32,
    /// The memory of its container.
    pub memory: ContainerMemory,
    /// Why it does not have that yet, if it was given other memory.
    pub resize: Option<ResizeProblem>,
    /// Whether its last process was ended for taking more.
    pub out_of_memory: bool,
    /// Why Kubernetes cannot run it, as Kubernetes explains it.
    pub trouble: Option<String>,
    /// The last log lines of the process whose exit is the trouble, where Kubernetes kept them. They differ between
    /// exits, so they stay out of conditions.
    pub last_words: Option<String>,
    /// Where to send requests, while its container runs.
    pub target: Option<Target>,
    /// Its last report.
    pub sample: Sample,
}

impl ObservedPod {
    /// Reads a pod; none if it carries no revision and thus is not one of ours.
    #[must_use]
    pub fn read(pod: &Pod, key: &Key) -> Option<Self> {
        let revision = Revision::parse(pod.labels().get(names::LABEL_REVISION)?)?;
        let status = pod.status.as_ref();
        let container = status
            .and_then(|s| s.container_statuses.as_ref())
            .and_then(|all| all.iter().find(|c| c.name == names::CONTAINER));
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
            version: pod.resource_version(),
            labels: pod.labels().clone(),
            revision,
            template: pod.labels().get("controller-revision-hash").cloned(),
            same_template: pod.annotations().get(names::ANNOTATION_TEMPLATE).cloned(),
            ready,
            terminating: pod.metadata.deletion_timestamp.is_some(),
            orphan: !pod
                .owner_references()
                .iter()
                .any(|owner| owner.controller == Some(true)),
            kept_out: pod
                .labels()
                .get(names::LABEL_SERVES)
                .is_none_or(|serves| serves != names::SERVES),
            restarts,
            memory: ContainerMemory::read(pod),
            resize: ResizeProblem::read(pod),
            out_of_memory: container.is_some_and(was_out_of_memory),
            trouble: container
                .and_then(container_trouble)
                .or_else(|| unschedulable(pod))
                .or_else(|| failed(pod)),
            last_words: container.and_then(failed_end).and_then(last_words),
            target,
            sample: Sample::NotRunning,
        })
    }
}

/// Drops what nobody looks at, which is most of a pod: in a large cluster the cache of pods is what the operator takes.
/// Left are the metadata, what the containers were given, and the status.
pub fn strip(pod: &mut Pod) {
    pod.metadata.managed_fields = None;
    let Some(spec) = pod.spec.take() else { return };
    let containers = spec.containers.into_iter().map(|container| Container {
        name: container.name,
        resources: container.resources,
        ..Container::default()
    });
    pod.spec = Some(PodSpec {
        containers: containers.collect(),
        ..PodSpec::default()
    });
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

/// A description of a container that cannot start or has exited. The same trouble always has the same description,
/// although Kubernetes alternates between two states of it and counts the seconds to the next attempt.
fn container_trouble(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref();
    let message = waiting.and_then(|w| w.message.as_deref()).unwrap_or_default();
    match waiting.and_then(|w| w.reason.as_deref()).unwrap_or_default() {
        "ErrImagePull" | "ImagePullBackOff" => {
            let (_, cause) = message.split_once("ErrImagePull: ").unwrap_or(("", message));
            Some(format!("ImagePullBackOff: {cause}"))
        }
        "CrashLoopBackOff" => failed_end(container)
            .map(exit)
            .or_else(|| Some("CrashLoopBackOff".into())),
        "" | "ContainerCreating" | "PodInitializing" => failed_end(container).map(exit),
        reason => Some(format!("{reason}: {message}")),
    }
}

/// The failed exit that keeps a container from running: the current one, or the last one until it has recovered.
fn failed_end(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let state = container.state.as_ref()?;
    let before = container.last_state.as_ref();
    let crashes = |reason: &str| reason == "CrashLoopBackOff";
    let ended = match (&state.terminated, &state.waiting) {
        (Some(ended), _) => Some(ended),
        (None, Some(waiting)) if !waiting.reason.as_deref().is_some_and(crashes) => None,
        (None, _) if container.ready => None,
        (None, _) => before.and_then(|state| state.terminated.as_ref()),
    };
    ended.filter(|ended| ended.exit_code != 0)
}

fn exit(ended: &ContainerStateTerminated) -> String {
    let code = ended.exit_code;
    match ended.reason.as_deref() {
        None | Some("" | "Error") => format!("the container exited with code {code}"),
        Some(reason) => format!("the container exited with code {code}: {reason}"),
    }
}

fn last_words(ended: &ContainerStateTerminated) -> Option<String> {
    let words = ended.message.as_deref()?.trim();
    (!words.is_empty()).then(|| words.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;

    fn read(status: &serde_json::Value) -> ObservedPod {
        ObservedPod::read(&fixtures::pod("one-0", status), &fixtures::key()).unwrap()
    }

    #[test]
    fn a_running_pod_has_an_address_and_no_trouble() {
        let pod = read(&fixtures::running_status());
        assert_eq!(pod.target.unwrap().address.to_string(), "10.0.0.7");
        assert!(pod.ready);
        assert_eq!(pod.trouble, None);
    }

    #[test]
    fn a_pod_that_is_stripped_reads_the_same() {
        let mut pod = fixtures::pod("one-0", &fixtures::running_status());
        let container = json!({"name": "indexer", "image": "i", "env": [{"name": "A", "value": "b"}],
                               "resources": {"limits": {"memory": "1Gi"}}});
        pod.spec = serde_json::from_value(json!({"nodeName": "n", "containers": [container]})).unwrap();
        pod.metadata.managed_fields = Some(Vec::new());
        let mut stripped = pod.clone();
        strip(&mut stripped);
        assert_eq!(
            ObservedPod::read(&stripped, &fixtures::key()),
            ObservedPod::read(&pod, &fixtures::key())
        );
        let left = json!({"containers": [{"name": "indexer", "resources": {"limits": {"memory": "1Gi"}}}]});
        assert_eq!(serde_json::to_value(&stripped.spec).unwrap(), left);
        assert_eq!(stripped.metadata.managed_fields, None);
    }

    #[test]
    fn troubles_have_steady_words() {
        let pull = "ImagePullBackOff: not found";
        let crash = "the container exited with code 1";
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
            let pod = read(&json!({"containerStatuses": [container]}));
            assert_eq!(pod.trouble.as_deref(), expected, "{state}");
            let words = expected.filter(|words| *words == crash).map(|_| "out of disk");
            assert_eq!(pod.last_words.as_deref(), words, "{state}");
        }
    }

    #[test]
    fn a_container_beside_the_indexer_is_not_taken_for_it() {
        let mut status = fixtures::running_status();
        let mut beside = status["containerStatuses"][0].clone();
        beside["name"] = json!("a-proxy");
        beside["state"] = json!({"terminated": {"exitCode": 1}});
        status["containerStatuses"].as_array_mut().unwrap().insert(0, beside);
        let pod = read(&status);
        assert_eq!(pod.trouble, None);
        assert!(pod.target.is_some());
    }

    #[test]
    fn a_pod_that_fits_nowhere_says_why() {
        let unschedulable = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                                   "message": "0/2 nodes are available: 2 Insufficient memory."});
        let pod = read(&json!({"phase": "Pending", "conditions": [unschedulable]}));
        assert_eq!(
            pod.trouble.unwrap(),
            "Unschedulable: 0/2 nodes are available: 2 Insufficient memory."
        );
        assert_eq!(pod.target, None);
    }
}
