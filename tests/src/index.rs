//! An applied Indexer: reading, awaiting and changing its resource.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::{Indexer, conditions::types};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::{
    namespace::Namespace,
    wait::{self, outlook::Hopeless},
};

/// An Indexer in the cluster.
pub struct Index {
    /// Where it is.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
}

impl Index {
    /// Names an Indexer, which need not exist yet.
    #[must_use]
    pub fn new(namespace: &Namespace, name: &str) -> Self {
        Self {
            namespace: namespace.clone(),
            name: name.into(),
        }
    }

    /// The resource as it is now.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn get(&self) -> Result<Indexer> {
        self.namespace
            .api()
            .get(&self.name)
            .await
            .with_context(|| format!("get Indexer {}", self.name))
    }

    /// Waits up to [`wait::PATIENCE`] until the resource meets a condition. Returns the resource that does.
    ///
    /// # Errors
    /// If it does not in time; with the last status.
    pub async fn wait_until(&self, what: &str, says: impl Fn(&Indexer) -> bool) -> Result<Indexer> {
        self.wait_within(wait::PATIENCE, what, says).await
    }

    /// Waits for no longer than a promise allows.
    ///
    /// # Errors
    /// As [`Self::wait_until`].
    pub async fn wait_within(&self, within: Duration, what: &str, says: impl Fn(&Indexer) -> bool) -> Result<Indexer> {
        wait::until(&format!("{}: {what}", self.name), within, async || {
            let indexer = self.get().await?;
            ensure!(
                says(&indexer),
                "the status is {}",
                serde_json::to_string(&indexer.status)?
            );
            Ok(indexer)
        })
        .await
    }

    /// Waits until it has indexed up to a height and is ready.
    ///
    /// # Errors
    /// As [`Self::wait_until`], and at once if it is stalled, since nothing changes then without intervention.
    pub async fn follows_to(&self, height: u32) -> Result<Indexer> {
        let what = format!("{}: Ready at height {height}", self.name);
        wait::until(&what, wait::PATIENCE, async || {
            let indexer = self.get().await?;
            let status = serde_json::to_string(&indexer.status)?;
            ensure!(
                !indexer.is_true(types::STALLED),
                Hopeless(format!("it is stalled: {status}"))
            );
            let follows = indexer.is_true(types::READY) && indexer.height() == Some(height);
            ensure!(follows, "the status is {status}");
            Ok(indexer)
        })
        .await
    }

    /// Changes fields of the spec.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn change(&self, spec: Value) -> Result<()> {
        self.patch(json!({"spec": spec})).await
    }

    /// Sets an annotation.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn annotate(&self, key: &str, value: &str) -> Result<()> {
        self.patch(json!({"metadata": {"annotations": {key: value}}})).await
    }

    async fn patch(&self, patch: Value) -> Result<()> {
        let api = self.namespace.api::<Indexer>();
        api.patch(&self.name, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        Ok(())
    }

    /// Deletes the resource.
    ///
    /// # Errors
    /// If it does not exist.
    pub async fn delete(&self) -> Result<()> {
        self.namespace
            .api::<Indexer>()
            .delete(&self.name, &DeleteParams::default())
            .await?;
        Ok(())
    }
}

/// A status in the terms of the tests.
pub trait Says {
    /// A condition, once the operator has judged the newest spec.
    fn condition(&self, kind: &str) -> Option<&Condition>;
    /// Height of the last block indexed.
    fn height(&self) -> Option<u32>;
    /// Digest of the index at that height.
    fn digest(&self) -> Option<&str>;
    /// Memory as the pods report it; zeros before the first report.
    fn memory(&self) -> crds::MemoryStatus;

    /// Whether a condition is `True`.
    fn is_true(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }

    /// Whether a condition is `False`, for a reason.
    fn is_false(&self, kind: &str, reason: &str) -> bool {
        self.condition(kind)
            .is_some_and(|condition| condition.status == "False" && condition.reason == reason)
    }
}

impl Says for Indexer {
    /// Only a condition of the newest spec counts.
    fn condition(&self, kind: &str) -> Option<&Condition> {
        let status = self
            .status
            .as_ref()
            .filter(|status| Some(status.observed_generation) == self.metadata.generation)?;
        status.conditions.iter().find(|condition| condition.type_ == kind)
    }

    fn height(&self) -> Option<u32> {
        self.status.as_ref()?.active.as_ref()?.height
    }

    fn digest(&self) -> Option<&str> {
        self.status.as_ref()?.active.as_ref()?.digest.as_deref()
    }

    fn memory(&self) -> crds::MemoryStatus {
        self.status
            .as_ref()
            .and_then(|status| status.memory.clone())
            .unwrap_or_default()
    }
}
