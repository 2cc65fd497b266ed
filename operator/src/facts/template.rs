//! Which pods run an outdated template of their `StatefulSet`.

use crds::Revision;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use serde_json::Value;

use super::{observed::Observed, pod::ObservedPod, pod_memory::ContainerMemory};
use crate::names;

/// The template that new pods of a revision get, as its `StatefulSet` names it; none if there is no set, or while its
/// controller has not seen the newest spec.
#[must_use]
pub fn newest_template<'a>(indexer: &str, revision: &Revision, observed: &'a Observed) -> Option<&'a str> {
    current_template(set_of(indexer, revision, observed)?)
}

/// Whether the controller of a revision's `StatefulSet` has not observed its newest spec: then it is unknown which of
/// its pods are outdated.
#[must_use]
pub fn is_template_unknown(indexer: &str, revision: &Revision, observed: &Observed) -> bool {
    set_of(indexer, revision, observed).is_some_and(|set| current_template(set).is_none())
}

/// Whether a pod runs, or may run, another template than the newest one. Without a set, no pod is outdated; nor is one
/// that differs only by memory which the operator changes.
#[must_use]
pub fn is_outdated(indexer: &str, pod: &ObservedPod, observed: &Observed) -> bool {
    let Some(set) = set_of(indexer, &pod.revision, observed) else {
        return false;
    };
    if same_template(set).is_some_and(|newest| pod.same_template.as_deref() == Some(newest)) {
        return false;
    }
    current_template(set).is_none_or(|newest| pod.template.as_deref().is_some_and(|template| template != newest))
}

/// The memory that the template of a revision gives, if it is one whose memory the operator changes.
#[must_use]
pub fn resized_template(indexer: &str, revision: &Revision, observed: &Observed) -> Option<ContainerMemory> {
    let set = set_of(indexer, revision, observed)?;
    same_template(set)?;
    let spec = set.spec.as_ref()?.template.spec.as_ref()?;
    let own = spec.containers.iter().find(|c| c.name == names::CONTAINER)?;
    own.resources.as_ref().map(ContainerMemory::of)
}

/// Whether two sets, as the API server has them or as they are planned, differ in their templates by nothing but memory
/// which the operator changes.
#[must_use]
pub fn has_same_template(a: &Value, b: &Value) -> bool {
    let hash = |set: &Value| {
        let annotations = &set["spec"]["template"]["metadata"]["annotations"];
        annotations[names::ANNOTATION_TEMPLATE].as_str().map(str::to_owned)
    };
    hash(a).is_some_and(|same| hash(b) == Some(same))
}

fn same_template(set: &StatefulSet) -> Option<&str> {
    let metadata = set.spec.as_ref()?.template.metadata.as_ref()?;
    let hash = metadata.annotations.as_ref()?.get(names::ANNOTATION_TEMPLATE)?;
    Some(hash.as_str())
}

fn set_of<'a>(indexer: &str, revision: &Revision, observed: &'a Observed) -> Option<&'a StatefulSet> {
    let name = names::of_revision(indexer, revision);
    observed.stateful_sets.iter().find(|set| set.name_any() == name)
}

/// The template revision new pods get; none while the `StatefulSet` controller has not seen the newest spec.
fn current_template(set: &StatefulSet) -> Option<&str> {
    let status = set.status.as_ref()?;
    let is_current = status.observed_generation == set.metadata.generation;
    status.update_revision.as_deref().filter(|_| is_current)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{observed_pod, stateful_set};

    #[test]
    fn a_pod_whose_template_differs_by_its_memory_is_not_outdated() {
        let is_outdated_with = |of_set: Option<&str>, of_pod: Option<&str>| {
            let mut set = stateful_set("new");
            let annotations = of_set.map(|hash| json!({ names::ANNOTATION_TEMPLATE: hash }));
            let template = json!({"metadata": {"annotations": annotations}});
            set.spec = Some(serde_json::from_value(json!({"template": template, "selector": {}})).unwrap());
            let observed = Observed {
                stateful_sets: vec![set],
                ..Observed::default()
            };
            let mut pod = observed_pod("one-0");
            (pod.template, pod.same_template) = (Some("old".into()), of_pod.map(str::to_owned));
            is_outdated("one", &pod, &observed)
        };
        assert!(!is_outdated_with(Some("a"), Some("a")));
        for (of_set, of_pod) in [
            (Some("a"), Some("b")),
            (Some("a"), None),
            (None, Some("a")),
            (None, None),
        ] {
            assert!(is_outdated_with(of_set, of_pod), "{of_set:?}, {of_pod:?}");
        }
    }
}
