//! A Flux `Kustomization` that applies a repository to a test's namespace, and its status.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::repository::Repository;
use crate::{namespace::Namespace, wait};

/// The name of both objects.
const NAME: &str = "delivery";
/// How often Flux fetches and applies.
const INTERVAL: &str = "5s";
/// How long one attempt waits for health: a whole synchronisation on a busy machine.
const HEALTH_TIMEOUT: &str = "3m";
const READY: &str = "Ready";

/// A repository that is delivered to a namespace.
pub struct Delivery {
    namespace: Namespace,
}

/// The status of a Kustomization.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    conditions: Vec<Condition>,
    last_applied_revision: Option<String>,
    last_attempted_revision: Option<String>,
    history: Vec<Attempts>,
}

/// The attempts that resulted in the same objects from the same spec.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Attempts {
    total_reconciliations: u64,
}

impl Delivery {
    /// Has Flux apply a repository, remove what leaves it, and report success once all of it is healthy. The repository
    /// must have been pushed to.
    ///
    /// # Errors
    /// If the cluster has no Flux.
    pub async fn start(namespace: &Namespace, repository: &Repository) -> Result<Self> {
        let delivery = Self {
            namespace: namespace.clone(),
        };
        let source = json!({
            "interval": INTERVAL,
            "url": repository.url(),
            "ref": {"branch": repository.branch()},
        });
        let kustomization = json!({
            "interval": INTERVAL,
            "retryInterval": INTERVAL,
            "timeout": HEALTH_TIMEOUT,
            "path": "./",
            "prune": true,
            "wait": true,
            "targetNamespace": namespace.name,
            "sourceRef": {"kind": "GitRepository", "name": NAME},
        });
        delivery.apply(&git_repositories(), source).await?;
        delivery.apply(&kustomizations(), kustomization).await?;
        Ok(delivery)
    }

    /// Has Flux delete and recreate what the API server refuses to change.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn force(&self) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": {"force": true}}));
        let kustomizations = api(&self.namespace, &kustomizations());
        kustomizations.patch(NAME, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// The current status.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn state(&self) -> Result<State> {
        let object = api(&self.namespace, &kustomizations()).get(NAME).await?;
        state_of(&object)
    }

    /// Waits until a commit is applied and all of it is healthy.
    ///
    /// # Errors
    /// If that does not happen in time; with the last status.
    pub async fn applied(&self, commit: &str) -> Result<State> {
        self.wait_until(wait::PATIENCE, &format!("{commit} is applied and healthy"), |state| {
            state.has_applied(commit)
        })
        .await
    }

    /// Waits for a status.
    ///
    /// # Errors
    /// If it does not come in time; with the last one.
    pub async fn wait_until(&self, within: Duration, what: &str, says: impl Fn(&State) -> bool) -> Result<State> {
        wait::until(&format!("Flux: {what}"), within, async || {
            let state = self.state().await?;
            ensure!(says(&state), "{state:?}");
            Ok(state)
        })
        .await
    }

    async fn apply(&self, resource: &ApiResource, spec: Value) -> Result<()> {
        let object = DynamicObject::new(NAME, resource).data(json!({"spec": spec}));
        let params = PatchParams::apply("e2e").validation_strict();
        let applied = api(&self.namespace, resource)
            .patch(NAME, &params, &Patch::Apply(&object))
            .await;
        applied.with_context(|| format!("apply a {}: run `make gitops-up`", resource.kind))?;
        Ok(())
    }
}

impl State {
    /// Whether Flux has applied this commit and found all of it healthy.
    #[must_use]
    pub fn has_applied(&self, commit: &str) -> bool {
        self.condition(READY).is_some_and(|ready| ready.status == "True") && self.has_ever_applied(commit)
    }

    /// Whether Flux has ever reported success for this commit. While it checks again, the object is not Ready.
    #[must_use]
    pub fn has_ever_applied(&self, commit: &str) -> bool {
        is_of(self.last_applied_revision.as_ref(), commit)
    }

    /// Why an attempt with this commit has failed, in Flux's words.
    #[must_use]
    pub fn failure(&self, commit: &str) -> Option<&str> {
        let ready = self.condition(READY)?;
        (ready.status == "False" && is_of(self.last_attempted_revision.as_ref(), commit)).then_some(&ready.message)
    }

    /// How many attempts had the newest outcome.
    #[must_use]
    pub fn reconciliations(&self) -> u64 {
        self.history
            .first()
            .map_or(0, |attempts| attempts.total_reconciliations)
    }

    fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == kind)
    }
}

/// Status of every delivery into a namespace, for a test that failed. Nothing where there is no Flux.
///
/// # Errors
/// If the cluster does not answer.
pub async fn show(namespace: &Namespace) -> Result<String> {
    let mut text = String::new();
    for resource in [git_repositories(), kustomizations()] {
        let found = match api(namespace, &resource).list(&ListParams::default()).await {
            Err(kube::Error::Api(refusal)) if refusal.code == 404 => continue,
            found => found?,
        };
        for object in found {
            text += &format!(
                "-- {}\n{}",
                resource.kind,
                serde_yaml::to_string(&object.data["status"])?
            );
        }
    }
    Ok(text)
}

/// Revisions are written `BRANCH@sha1:COMMIT`.
fn is_of(revision: Option<&String>, commit: &str) -> bool {
    revision.and_then(|revision| revision.rsplit(':').next()) == Some(commit)
}

fn state_of(object: &DynamicObject) -> Result<State> {
    match object.data.get("status") {
        Some(status) => Ok(serde_json::from_value(status.clone())?),
        None => Ok(State::default()),
    }
}

fn git_repositories() -> ApiResource {
    let kind = GroupVersionKind::gvk("source.toolkit.fluxcd.io", "v1", "GitRepository");
    ApiResource::from_gvk_with_plural(&kind, "gitrepositories")
}

fn kustomizations() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(
        "kustomize.toolkit.fluxcd.io",
        "v1",
        "Kustomization",
    ))
}

fn api(namespace: &Namespace, resource: &ApiResource) -> Api<DynamicObject> {
    Api::namespaced_with(namespace.cluster.client.clone(), &namespace.name, resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(ready: &str, applied: &str, attempted: &str) -> State {
        let ready = json!({
            "type": READY, "status": ready, "reason": "R", "message": "words", "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let status = json!({
            "conditions": [ready],
            "lastAppliedRevision": format!("main@sha1:{applied}"),
            "lastAttemptedRevision": format!("main@sha1:{attempted}"),
            "history": [{"totalReconciliations": 3}, {"totalReconciliations": 8}],
        });
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn a_commit_is_applied_when_flux_is_ready_with_it() {
        assert!(state("True", "new", "new").has_applied("new"));
        assert!(!state("True", "old", "old").has_applied("new"));
        let looking_again = state("Unknown", "new", "new");
        assert!(!looking_again.has_applied("new") && looking_again.has_ever_applied("new"));
        assert!(!State::default().has_applied("new"));
        assert_eq!(state("True", "new", "new").reconciliations(), 3);
    }

    #[test]
    fn a_failure_belongs_to_the_commit_that_was_attempted() {
        let failed = state("False", "old", "new");
        assert_eq!(failed.failure("new"), Some("words"));
        assert_eq!(failed.failure("old"), None);
        assert_eq!(state("Unknown", "old", "new").failure("new"), None);
        assert_eq!(State::default().failure("new"), None);
    }
}
