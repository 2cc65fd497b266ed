//! The life of one Indexer, from nothing to its second revision: every kind of write is made in it.

use std::time::Duration;

use crds::{Indexer, conditions::types};
use k8s_openapi::{
    api::{apps::v1::StatefulSet, core::v1::Namespace, policy::v1::PodDisruptionBudget},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    runtime::wait::await_condition,
};
use serde_json::{Value, json};

/// A step that takes longer does not come to its end.
const STEP_MAX: Duration = Duration::from_secs(120);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(300);
const NAME: &str = "one";

/// The Indexer of one namespace.
pub(super) struct Scenario {
    client: Client,
    namespace: String,
    indexers: Api<Indexer>,
    sets: Api<StatefulSet>,
}

impl Scenario {
    /// In a new namespace.
    pub(super) async fn begin(client: &Client, namespace: &str) -> Self {
        let body: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &body).await.unwrap();
        Self {
            client: client.clone(),
            namespace: namespace.to_owned(),
            indexers: Api::namespaced(client.clone(), namespace),
            sets: Api::namespaced(client.clone(), namespace),
        }
    }

    /// # Errors
    /// The step that did not come to its end, and what there was then.
    pub(super) async fn run(&self) -> Result<(), String> {
        self.indexers
            .create(&PostParams::default(), &self.indexer())
            .await
            .unwrap();
        self.settles("it is made", |_, _| true).await?;
        // A change in place, for which pods are replaced one by one.
        self.change(json!({"memory": {"threshold": "100Mi"}})).await;
        self.settles("pods are replaced", |_, _| true).await?;
        // A candidate, and clients are moved to it.
        let before = self.active().await;
        self.change(json!({"module": {"sha256": "3b2f".repeat(16)}})).await;
        self.settles("clients are moved", |now, _| {
            active(now).is_some_and(|active| Some(active) != before)
        })
        .await?;
        // Larger volumes, for which both sets are replaced with their pods left running.
        self.change(json!({"storage": {"size": "2Gi"}})).await;
        self.settles("volumes grow", |now, sets| {
            sets.len() == 2 && sets.iter().all(|set| size(set) == "2Gi") && is(now, types::STORAGE_READY, "True")
        })
        .await?;
        // The revision before goes.
        self.change(json!({"rollout": {"keepPrevious": "0s"}})).await;
        self.settles("the revision before goes", |now, sets| {
            sets.len() == 1 && now.status.as_ref().is_some_and(|status| status.previous.is_none())
        })
        .await
    }

    /// Takes away what the stand-in looks at.
    pub(super) async fn end(self) {
        let (params, all) = (DeleteParams::default(), ListParams::default());
        let budgets: Api<PodDisruptionBudget> = Api::namespaced(self.client.clone(), &self.namespace);
        self.sets.delete_collection(&params, &all).await.unwrap();
        budgets.delete_collection(&params, &all).await.unwrap();
    }

    fn indexer(&self) -> Indexer {
        let mut indexer = crate::support::indexer(NAME);
        indexer.metadata.namespace = Some(self.namespace.clone());
        let mut spec = serde_json::to_value(&indexer.spec).unwrap();
        spec["replicas"] = json!(2);
        spec["storage"] = json!({"size": "1Gi", "storageClassName": super::STORAGE_CLASS, "retention": "Delete"});
        spec["rollout"]["soak"] = json!("0s");
        indexer.spec = serde_json::from_value(spec).unwrap();
        indexer
    }

    async fn change(&self, spec: Value) {
        let params = PatchParams::default();
        let patch = Patch::Merge(json!({ "spec": spec }));
        self.indexers.patch(NAME, &params, &patch).await.unwrap();
    }

    async fn active(&self) -> Option<String> {
        active(&self.indexers.get(NAME).await.unwrap())
    }

    /// Waits until the Indexer is ready as it is declared, and this holds of it and of its sets.
    async fn settles(&self, what: &str, holds: impl Fn(&Indexer, &[StatefulSet]) -> bool) -> Result<(), String> {
        let is_ready = |now: Option<&Indexer>| {
            now.is_some_and(|now| {
                let seen = now.status.as_ref().map(|status| status.observed_generation);
                seen == now.metadata.generation && is(now, types::READY, "True")
            })
        };
        let settled = async {
            loop {
                let now = await_condition(self.indexers.clone(), NAME, is_ready)
                    .await
                    .unwrap()
                    .unwrap();
                let sets = self.sets.list(&ListParams::default()).await.unwrap().items;
                if holds(&now, &sets) {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        if tokio::time::timeout(STEP_MAX, settled).await.is_ok() {
            return Ok(());
        }
        let (now, sets) = (
            self.indexers.get(NAME).await,
            self.sets.list(&ListParams::default()).await,
        );
        let now = now.ok().and_then(|now| now.status);
        let sets = sets.map(|sets| sets.items).unwrap_or_default();
        let sets: Vec<Value> = sets
            .iter()
            .map(|set| {
                json!([
                    set.metadata.name,
                    set.status,
                    set.spec.as_ref().map(|s| &s.volume_claim_templates)
                ])
            })
            .collect();
        Err(format!("{what}: {:#}\n{}", json!(now), json!(sets)))
    }
}

fn active(indexer: &Indexer) -> Option<String> {
    let active = indexer.status.as_ref()?.active.as_ref()?;
    Some(active.revision.to_string())
}

fn size(set: &StatefulSet) -> String {
    let set = serde_json::to_value(set).unwrap();
    let requests = &set["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"];
    requests["storage"].as_str().unwrap_or_default().to_owned()
}

fn is(indexer: &Indexer, type_: &str, status: &str) -> bool {
    let conditions = indexer.status.iter().flat_map(|status| &status.conditions);
    let mut of_type = conditions.filter(|condition: &&Condition| condition.type_ == type_);
    of_type.any(|condition| condition.status == status)
}
