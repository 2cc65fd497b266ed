//! Failed calls to the API server, and what to do about them.

use std::future::Future;

use crds::{Indexer, Revision};
use kube::{Resource, core::response::Status};

use crate::{
    facts::{ObservedPod, VolumeClaim},
    objects::{CALL_TIMEOUT, ChildKind, Key},
    plan::Child,
    storage::Obstacle,
};

/// A refused or lost API call.
#[derive(Debug, thiserror::Error)]
#[error("{action} {kind} {name}")]
pub struct Error {
    action: &'static str,
    kind: String,
    /// The kind as paths and the details of a refusal spell it.
    plural: String,
    name: String,
    revision: Option<Revision>,
    #[source]
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error(transparent)]
    Call(Box<kube::Error>),
    #[error("no answer within {} s", CALL_TIMEOUT.as_secs())]
    Timeout,
    #[error("it exists but does not belong to this Indexer")]
    Foreign,
    #[error("it changed, and the watches have not shown it yet")]
    Outdated,
}

/// When a failed call should be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Soon: the server, or the connection to it, may have recovered by then.
    RetryLater,
    /// What was decided on has changed meanwhile. That is no failure: the next pass decides on what there is now.
    LookAgain,
    /// The same request would be refused again: the resource, or what is in its way, must change first.
    AwaitChange,
    /// The Indexer is gone, or is about to go with its namespace, so there is nothing left to do.
    Gone,
}

impl Class {
    /// In a word, for metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::RetryLater => "retry",
            Self::LookAgain => "stale",
            Self::AwaitChange => "refused",
            Self::Gone => "gone",
        }
    }
}

impl Cause {
    /// The server's refusal, if it is one.
    pub(super) fn status(&self) -> Option<&Status> {
        match self {
            Self::Call(error) => match error.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            Self::Timeout | Self::Foreign | Self::Outdated => None,
        }
    }
}

impl Error {
    /// When to retry. A 403 is retried: an API server that has just started has not read its roles yet, and a missing
    /// permission may be granted later.
    #[must_use]
    pub fn class(&self) -> Class {
        match &self.cause {
            Cause::Foreign => Class::AwaitChange,
            Cause::Outdated => Class::LookAgain,
            Cause::Timeout => Class::RetryLater,
            Cause::Call(_) => match self.cause.status() {
                Some(status) if matches!(status.code, 400 | 422) => Class::AwaitChange,
                Some(status) if has_terminating_cause(status) => Class::Gone,
                Some(status) if status.code == 409 => Class::LookAgain,
                Some(status) if status.code == 404 => self.class_of_absence(status),
                _ => Class::RetryLater,
            },
        }
    }

    /// A 404 names what is absent. That may be the object, and then it was deleted meanwhile; or its namespace, or its
    /// whole kind, and either may come back without a change that is watched.
    fn class_of_absence(&self, status: &Status) -> Class {
        if !self.is_absent(status) {
            Class::RetryLater
        } else if self.plural == Indexer::plural(&()) {
            Class::Gone
        } else {
            Class::LookAgain
        }
    }

    fn is_absent(&self, status: &Status) -> bool {
        let details = status.details.as_ref();
        details.is_some_and(|details| details.name == self.name && details.kind == self.plural)
    }

    /// Whether the object the call was for does not exist.
    pub(super) fn is_of_absent(&self) -> bool {
        let status = self.cause.status().filter(|status| status.code == 404);
        status.is_some_and(|status| self.is_absent(status))
    }

    /// What a refusal to let a claim grow is due to. The server answers 403 to both, and only its words differ.
    #[must_use]
    pub fn obstacle(&self) -> Obstacle {
        let refused = self.cause.status().filter(|status| status.code == 403);
        let says = |words: &str| refused.is_some_and(|status| status.message.contains(words));
        if says("only dynamically provisioned pvc can be resized") {
            Obstacle::Class
        } else if says("exceeded quota") {
            Obstacle::Quota
        } else {
            Obstacle::Other
        }
    }

    /// Whether a resize would be refused for every pod like this one: the API server knows none, or not this one. It
    /// says 403 where only rights or a quota are missing.
    #[must_use]
    pub fn rules_out(&self) -> bool {
        let is_refused = |status: &Status| matches!(status.code, 404 | 405 | 422);
        self.class() != Class::LookAgain && self.cause.status().is_some_and(is_refused)
    }

    /// The revision whose object it was; none for what serves all of them.
    #[must_use]
    pub fn revision(&self) -> Option<&Revision> {
        self.revision.as_ref()
    }

    /// What was attempted and the server's own words, for a condition.
    #[must_use]
    pub fn explanation(&self) -> String {
        match &self.cause {
            Cause::Foreign => format!("{} {} exists but does not belong to this Indexer", self.kind, self.name),
            Cause::Call(error) => match self.cause.status() {
                Some(status) => format!("{self}: {}", status.message),
                None => format!("{self}: {error}"),
            },
            Cause::Timeout | Cause::Outdated => format!("{self}: {}", self.cause),
        }
    }
}

impl Error {
    pub(super) fn new(action: &'static str, kind: ChildKind, name: &str, cause: Cause) -> Self {
        let resource = kind.api_resource();
        Self {
            action,
            kind: resource.kind,
            plural: resource.plural,
            name: name.to_owned(),
            revision: None,
            cause,
        }
    }

    pub(super) fn of_child(action: &'static str, child: &Child, cause: Cause) -> Self {
        Self {
            revision: child.revision(),
            ..Self::new(action, child.kind, &child.name, cause)
        }
    }

    pub(super) fn of_pod(action: &'static str, pod: &ObservedPod, cause: Cause) -> Self {
        Self {
            action,
            kind: "Pod".to_owned(),
            plural: "pods".to_owned(),
            name: pod.name.clone(),
            revision: Some(pod.revision.clone()),
            cause,
        }
    }

    pub(super) fn of_claim(action: &'static str, claim: &VolumeClaim, cause: Cause) -> Self {
        Self {
            action,
            kind: "PersistentVolumeClaim".to_owned(),
            plural: "persistentvolumeclaims".to_owned(),
            name: claim.name.clone(),
            revision: Some(claim.revision.clone()),
            cause,
        }
    }

    pub(super) fn of_indexer(action: &'static str, key: &Key, cause: Cause) -> Self {
        Self {
            action,
            kind: Indexer::kind(&()).into_owned(),
            plural: Indexer::plural(&()).into_owned(),
            name: key.name.clone(),
            revision: None,
            cause,
        }
    }
}

/// Waits for an answer, for at most [`CALL_TIMEOUT`].
pub(super) async fn bounded<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Cause> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answered) => answered.map_err(|error| Cause::Call(Box::new(error))),
        Err(_) => Err(Cause::Timeout),
    }
}

/// Whether a call failed because the namespace is being deleted.
#[must_use]
pub fn is_for_ending_namespace(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if has_terminating_cause(status))
}

/// Whether nothing can be made any more, since the namespace is being deleted: as the API server's admission says it
/// (`NamespaceTerminatingCause` of `k8s.io/api/core/v1`).
fn has_terminating_cause(status: &Status) -> bool {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    causes.any(|cause| cause.reason == "NamespaceTerminating")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::{bound_claim, key, observed_pod};

    fn refusal(code: u16, details: &Value) -> Cause {
        let status = json!({"status": "Failure", "code": code, "message": "no", "details": details});
        Cause::Call(Box::new(kube::Error::Api(serde_json::from_value(status).unwrap())))
    }

    #[test]
    fn events_of_a_namespace_that_goes_are_no_loss() {
        let ending = json!({"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]});
        for (details, is_so) in [(ending, true), (Value::Null, false)] {
            let Cause::Call(error) = refusal(403, &details) else {
                unreachable!("it is a call's")
            };
            assert_eq!(is_for_ending_namespace(&error), is_so, "{details}");
        }
    }

    #[test]
    fn a_refusal_tells_what_to_wait_for() {
        let named = |kind: &str, name: &str| json!({"kind": kind, "name": name});
        let set = |cause| Error::new("apply", ChildKind::StatefulSet, "one-r", cause).class();
        let status = |cause| Error::of_indexer("write the status of", &key(), cause).class();
        let pod = |cause| Error::of_pod("evict", &observed_pod("one-0"), cause).class();
        let cases = [
            ("conflict", set(refusal(409, &Value::Null)), Class::LookAgain),
            (
                "refused by the schema",
                set(refusal(422, &Value::Null)),
                Class::AwaitChange,
            ),
            (
                "the namespace is being deleted",
                set(refusal(
                    403,
                    &json!({"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]}),
                )),
                Class::Gone,
            ),
            ("no right", set(refusal(403, &Value::Null)), Class::RetryLater),
            ("too many requests", set(refusal(429, &Value::Null)), Class::RetryLater),
            (
                "no namespace",
                set(refusal(404, &named("namespaces", "ns"))),
                Class::RetryLater,
            ),
            (
                "the kind is not served",
                set(refusal(404, &json!({}))),
                Class::RetryLater,
            ),
            ("nothing is said", set(refusal(404, &Value::Null)), Class::RetryLater),
            (
                "the set is gone",
                set(refusal(404, &named("statefulsets", "one-r"))),
                Class::LookAgain,
            ),
            (
                "the pod is gone",
                pod(refusal(404, &named("pods", "one-0"))),
                Class::LookAgain,
            ),
            (
                "the Indexer is gone",
                status(refusal(404, &named("indexers", "one"))),
                Class::Gone,
            ),
            ("no definition", status(refusal(404, &json!({}))), Class::RetryLater),
            (
                "no namespace either",
                status(refusal(404, &named("namespaces", "ns"))),
                Class::RetryLater,
            ),
            ("no answer", status(Cause::Timeout), Class::RetryLater),
            ("the caches lag behind", status(Cause::Outdated), Class::LookAgain),
        ];
        for (what, class, expected) in cases {
            assert_eq!(class, expected, "{what}");
        }
    }

    #[test]
    fn what_keeps_a_claim_small_is_told_from_a_missing_right() {
        let claim = VolumeClaim::read(&bound_claim("data-one-0", "1Gi")).unwrap();
        let obstacle = |code: u16, message: &str| {
            let status = json!({"status": "Failure", "code": code, "message": message});
            let cause = Cause::Call(Box::new(kube::Error::Api(serde_json::from_value(status).unwrap())));
            Error::of_claim("raise", &claim, cause).obstacle()
        };
        // As API servers say it.
        let class = "persistentvolumeclaims \"data-one-0\" is forbidden: only dynamically provisioned pvc can be resized \
                     and the storageclass that provisions the pvc must support resize";
        let quota = "persistentvolumeclaims \"data-one-0\" is forbidden: exceeded quota: disks, requested: \
                     requests.storage=1Gi, used: requests.storage=1Gi, limited: requests.storage=1Gi";
        let right = "persistentvolumeclaims \"data-one-0\" is forbidden: User \"operator\" cannot patch resource";
        assert_eq!(obstacle(403, class), Obstacle::Class);
        assert_eq!(obstacle(403, quota), Obstacle::Quota);
        assert_eq!(obstacle(403, right), Obstacle::Other);
        assert_eq!(obstacle(500, quota), Obstacle::Other);
        assert_eq!(
            Error::of_claim("raise", &claim, Cause::Timeout).obstacle(),
            Obstacle::Other
        );
    }
}
