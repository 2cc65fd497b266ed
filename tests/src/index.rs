//! An applied Indexer: what its resource says, what its pods say, and what can be done to it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use crds::{Indexer, conditions::types};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Condition};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::{namespace::Namespace, wait};

/// An Indexer in the cluster.
pub struct Index {
    /// Where it is.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
}

impl Index {
    /// Names an Indexer; whether it exists shows on use.
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

    /// Waits, with patience, until the resource says something; gives the resource that says it.
    ///
    /// # Errors
    /// If it never does; with what it said last.
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
    /// As [`Self::wait_until`].
    pub async fn follows_to(&self, height: u32) -> Result<Indexer> {
        let what = format!("Ready at height {height}");
        self.wait_until(&what, |i| i.is_true(types::READY) && i.height() == Some(height))
            .await
    }

    /// Waits until the container of its pod runs. Volume, scheduling and sandbox are the cluster's time: what an operator
    /// promises begins here.
    ///
    /// # Errors
    /// If it never runs.
    pub async fn starts(&self) -> Result<()> {
        wait::until(
            &format!("{}: a running container", self.name),
            wait::PATIENCE,
            async || {
                let status = self.pod().await?.status.unwrap_or_default();
                let is_running = status
                    .container_statuses
                    .iter()
                    .flatten()
                    .any(|container| container.state.as_ref().is_some_and(|state| state.running.is_some()));
                ensure!(is_running, "not yet");
                Ok(())
            },
        )
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

    /// Selector of its pods, as the status gives it to everybody.
    ///
    /// # Errors
    /// Before the operator has looked.
    pub async fn selector(&self) -> Result<String> {
        self.get()
            .await?
            .status
            .and_then(|status| status.selector)
            .context("the status has no selector")
    }

    /// Its only pod.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub async fn pod(&self) -> Result<Pod> {
        let found = self
            .namespace
            .api::<Pod>()
            .list(&ListParams::default().labels(&self.selector().await?))
            .await?;
        match <[Pod; 1]>::try_from(found.items) {
            Ok([pod]) => Ok(pod),
            Err(pods) => bail!("{} has {} pods", self.name, pods.len()),
        }
    }

    /// What its only pod reports about itself.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn report(&self) -> Result<crds::pod::Status> {
        self.report_of(&self.pod().await?).await
    }

    /// What one of its pods reports about itself.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn report_of(&self, pod: &Pod) -> Result<crds::pod::Status> {
        let name = pod.metadata.name.as_deref().context("a pod has a name")?;
        let path = format!(
            "/api/v1/namespaces/{}/pods/{name}:{}/proxy{}",
            self.namespace.name,
            crds::pod::OPS_PORT,
            crds::pod::STATUS_PATH
        );
        let request = http::Request::get(path).body(Vec::new())?;
        Ok(self.namespace.cluster.client.request(request).await?)
    }
}

/// What a status says, in the words of the tests.
pub trait Says {
    /// A condition, once the operator has looked.
    fn condition(&self, kind: &str) -> Option<&Condition>;
    /// Height of the last block indexed.
    fn height(&self) -> Option<u32>;
    /// Digest of the index at that height.
    fn digest(&self) -> Option<&str>;
    /// Memory as the pods report it; zeros before they do.
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
