//! Which pods run an outdated template of their `StatefulSet`.

use crds::Revision;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;

use super::{observed::Observed, pod::ObservedPod};
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

/// Whether a pod runs, or may run, another template than the newest one. Without a set, no pod is outdated.
#[must_use]
pub fn is_outdated(indexer: &str, pod: &ObservedPod, observed: &Observed) -> bool {
    let Some(set) = set_of(indexer, &pod.revision, observed) else {
        return false;
    };
    current_template(set).is_none_or(|newest| pod.template.as_deref().is_some_and(|template| template != newest))
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
