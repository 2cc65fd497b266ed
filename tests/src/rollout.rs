//! Rollouts seen from outside: which revision serves, and what is kept.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::{CandidateRevision, Indexer, Revision, conditions::types};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Endpoints, PersistentVolumeClaim, Pod, Service},
};
use kube::{ResourceExt, api::ListParams};

use crate::{
    index::{Index, Says},
    pod::is_running,
    wait,
};

/// The label of objects that belong to one revision.
const REVISION: &str = "shrewd.dev/revision";

impl Index {
    /// The revision its Service points at.
    ///
    /// # Errors
    /// If there is no Service.
    pub async fn served(&self) -> Result<String> {
        let service = self.namespace.api::<Service>().get(&self.name).await?;
        let selector = service.spec.and_then(|spec| spec.selector).unwrap_or_default();
        selector
            .get(REVISION)
            .cloned()
            .context("the Service selects no revision")
    }

    /// The revisions that have a `StatefulSet`, in order.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn revisions(&self) -> Result<Vec<String>> {
        let sets = self.namespace.api::<StatefulSet>().list(&self.selected()).await?;
        let mut revisions: Vec<String> = sets
            .items
            .iter()
            .filter_map(|set| set.metadata.labels.as_ref()?.get(REVISION).cloned())
            .collect();
        revisions.sort();
        Ok(revisions)
    }

    /// The names of its volume claims.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn claims(&self) -> Result<Vec<String>> {
        let claims = self.volume_claims().await?.into_iter();
        Ok(claims.filter_map(|claim| claim.metadata.name).collect())
    }

    /// The names of its volume claims that no owner's deletion deletes. The StatefulSet controller creates claim and
    /// pod first and sets the owner a moment later, or in a second attempt if the claim has changed meanwhile.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn claims_without_owner(&self) -> Result<Vec<String>> {
        let claims = self.volume_claims().await?.into_iter();
        let ownerless = claims.filter(|claim| claim.metadata.owner_references.as_ref().is_none_or(Vec::is_empty));
        Ok(ownerless.filter_map(|claim| claim.metadata.name).collect())
    }

    /// Its volume claims.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn volume_claims(&self) -> Result<Vec<PersistentVolumeClaim>> {
        let claims = self.namespace.api::<PersistentVolumeClaim>();
        Ok(claims.list(&self.selected()).await?.items)
    }

    /// All its pods, of whatever revision.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn pods(&self) -> Result<Vec<Pod>> {
        Ok(self.namespace.api::<Pod>().list(&self.selected()).await?.items)
    }

    /// Its pods of one revision.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn pods_of(&self, revision: &str) -> Result<Vec<Pod>> {
        let has_it = |pod: &Pod| pod.labels().get(REVISION).is_some_and(|label| label == revision);
        let mut pods = self.pods().await?;
        pods.retain(has_it);
        Ok(pods)
    }

    /// Waits until a container of the newest spec's candidate runs, or until the candidate has failed without one.
    ///
    /// # Errors
    /// If neither happens.
    pub async fn candidate_starts(&self) -> Result<()> {
        let what = format!("{}: a running container of the candidate", self.name);
        wait::until(&what, wait::PATIENCE, async || {
            let indexer = self.get().await?;
            if indexer.is_true(types::STALLED) {
                return Ok(());
            }
            // Until then, the candidate of the previous spec may still be named.
            indexer
                .condition(types::STALLED)
                .context("the newest spec is not judged yet")?;
            let candidate = candidate(&indexer).context("no candidate")?;
            let pods = self.pods_of(candidate.revision.as_str()).await?;
            ensure!(pods.iter().any(is_running), "{} pods", pods.len());
            Ok(())
        })
        .await
    }

    /// Waits until its Service points at a revision.
    ///
    /// # Errors
    /// If that does not happen in time.
    pub async fn serves(&self, revision: &str, within: Duration) -> Result<()> {
        wait::until(&format!("{} serves {revision}", self.name), within, async || {
            let served = self.served().await?;
            ensure!(served == revision, "it serves {served}: {:?}", self.get().await?.status);
            Ok(())
        })
        .await
    }

    /// The names of the pods its Service sends clients to, in no order.
    ///
    /// # Errors
    /// If there is no Service yet.
    pub async fn pods_of_service(&self) -> Result<Vec<String>> {
        #[allow(deprecated)] // one object for all of a Service, which says enough here
        let endpoints = self.namespace.api::<Endpoints>().get(&self.name).await?;
        let subsets = endpoints.subsets.unwrap_or_default();
        let addresses = subsets
            .into_iter()
            .flat_map(|subset| subset.addresses.unwrap_or_default());
        Ok(addresses.filter_map(|address| address.target_ref?.name).collect())
    }

    /// Selects what belongs to it.
    #[must_use]
    pub fn selected(&self) -> ListParams {
        ListParams::default().labels(&format!("shrewd.dev/indexer={}", self.name))
    }
}

/// The revision that serves, as the status says.
#[must_use]
pub fn active(indexer: &Indexer) -> Option<&Revision> {
    indexer.status.as_ref()?.active.as_ref().map(|active| &active.revision)
}

/// The candidate of the status.
#[must_use]
pub fn candidate(indexer: &Indexer) -> Option<&CandidateRevision> {
    indexer.status.as_ref()?.candidate.as_ref()
}
