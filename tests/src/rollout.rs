//! What rollouts look like from outside: who serves, what is kept, what clients were told.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::{CandidateRevision, Indexer, Revision};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Event, PersistentVolumeClaim, Pod, Service},
};
use kube::api::{ListParams, LogParams};
use serde_json::json;

use crate::{asked::Asked, index::Index, namespace::Namespace, query::asking_pod, wait};

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

    /// The names of its volume claims that go with nothing. A StatefulSet's controller makes claim and pod first, and
    /// notes whose claim it is a moment later, or once more when the claim changed meanwhile.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn claims_without_owner(&self) -> Result<Vec<String>> {
        let claims = self.volume_claims().await?.into_iter();
        let ownerless = claims.filter(|claim| claim.metadata.owner_references.as_ref().is_none_or(Vec::is_empty));
        Ok(ownerless.filter_map(|claim| claim.metadata.name).collect())
    }

    async fn volume_claims(&self) -> Result<Vec<PersistentVolumeClaim>> {
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

    /// Events of the resource with this reason.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn events(&self, reason: &str) -> Result<Vec<Event>> {
        let fields = format!(
            "involvedObject.name={},involvedObject.kind=Indexer,reason={reason}",
            self.name
        );
        Ok(self
            .namespace
            .api::<Event>()
            .list(&ListParams::default().fields(&fields))
            .await?
            .items)
    }

    fn selected(&self) -> ListParams {
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

/// A pod that asks a view through the Service, a hundred times a second.
pub struct Asker {
    namespace: Namespace,
    name: String,
}

impl Asker {
    /// Starts it, and waits until it has been answered once.
    ///
    /// # Errors
    /// If it never is.
    pub async fn start(index: &Index, function: &str, request: &[u8], height: u32, seconds: u64) -> Result<Self> {
        let name = format!("asker-{}", index.name);
        let pod = asking_pod(
            &name,
            &index.namespace.cluster.asker_image,
            &[
                &format!("--url=http://{}:{}", index.name, crds::pod::RPC_PORT),
                &format!("--function={function}"),
                &format!("--input=0x{}", hex::encode(request)),
                &format!("--height={height}"),
                &format!("--seconds={seconds}"),
            ],
        );
        index.namespace.apply::<Pod>(&pod).await?;
        let asker = Self {
            namespace: index.namespace.clone(),
            name,
        };
        wait::until("a client is answered", wait::PATIENCE, async || {
            ensure!(!asker.asked().await?.answers.is_empty(), "not yet");
            Ok(())
        })
        .await?;
        Ok(asker)
    }

    /// What it was told so far.
    ///
    /// # Errors
    /// If it printed nothing yet.
    pub async fn asked(&self) -> Result<Asked> {
        let log = self
            .namespace
            .api::<Pod>()
            .logs(&self.name, &LogParams::default())
            .await?;
        let last = log.lines().last().context("it printed nothing yet")?;
        serde_json::from_str(last).with_context(|| last.to_owned())
    }

    /// Waits until it was told an answer, and for one more second.
    ///
    /// # Errors
    /// If it is not in time; with what it was told.
    pub async fn is_told(&self, answer: &[u8], within: Duration) -> Result<Asked> {
        let answer = format!("0x{}", hex::encode(answer));
        wait::until(&format!("clients are told {answer}"), within, async || {
            let asked = self.asked().await?;
            let told = asked.answers.iter().find(|told| told.answer == answer);
            ensure!(told.is_some_and(|told| told.last > told.first + 100), "{asked:?}");
            Ok(asked)
        })
        .await
    }
}

/// Changes the newest digest in the store of a volume that no pod uses. Gives the height.
///
/// # Errors
/// If the pod that does it fails; with what it printed.
pub async fn tamper(namespace: &Namespace, claim: &str) -> Result<u32> {
    let name = format!("tamper-{claim}");
    let mut pod = asking_pod(&name, &namespace.cluster.tamper_image, &["/data/store"]);
    pod["spec"]["securityContext"]["runAsGroup"] = json!(65532);
    pod["spec"]["securityContext"]["fsGroup"] = json!(65532);
    pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]);
    pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    namespace.apply::<Pod>(&pod).await?;
    let api = namespace.api::<Pod>();
    let phase = wait::until(&format!("{name} is done"), wait::PATIENCE, async || {
        let phase = api
            .get(&name)
            .await?
            .status
            .and_then(|status| status.phase)
            .unwrap_or_default();
        ensure!(
            matches!(phase.as_str(), "Succeeded" | "Failed"),
            "its phase is {phase:?}"
        );
        Ok(phase)
    })
    .await?;
    let printed = api.logs(&name, &LogParams::default()).await?;
    ensure!(phase == "Succeeded", "{name} failed: {printed}");
    printed.trim().parse().with_context(|| printed.clone())
}
