//! Objects of an Indexer that somebody deletes in the middle of a rollout: what is deleted comes back, clients notice
//! nothing that Kubernetes itself does not bring about, and the rollout continues where it was.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use crds::{
    Indexer,
    conditions::{reasons, types},
};
use e2e::{
    asked::Asked,
    asker::{Asker, as_answered},
    edition::{edition, stored},
    index::{Index, Says},
    manifest::Manifest,
    namespace::Namespace,
    node::Node,
    pod::is_ready,
    rollout::candidate,
    trial::in_namespace,
    wait,
};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Service},
};
use kube::{
    ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PropagationPolicy},
};
use serde_json::json;

const HEIGHT: u32 = 40;
/// The height of the clients' queries.
const ASKED: u32 = 30;

/// An index with a candidate that waits for the next block, and a client.
struct Stage {
    index: Index,
    node: Node,
    asker: Asker,
    serving: String,
    candidate: String,
    /// Names and unique ids of its claims.
    claims: Vec<(String, Option<String>)>,
}

impl Stage {
    async fn set(namespace: &Namespace) -> Result<Self> {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain").named("one").soaking("1s");
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(HEIGHT).await?;
        let serving = index.served().await?;
        let asker = Asker::start(&index, "get", b"height", ASKED, 900).await?;
        let waiting = manifest.with("rollout", "activateAt", json!(HEIGHT + 1));
        waiting.apply_with(namespace, &edition(2)?).await?;
        let seen = index.wait_until("a candidate waits for its height", waits).await?;
        let candidate = candidate(&seen).context("a candidate")?.revision.to_string();
        Ok(Self {
            claims: claims(&index).await?,
            index,
            node,
            asker,
            serving,
            candidate,
        })
    }

    fn set_of(&self, revision: &str) -> String {
        format!("{}-{revision}", self.index.name)
    }

    /// Deletes the set of a revision, and waits until there is another one.
    async fn loses_set(&self, revision: &str, policy: PropagationPolicy) -> Result<()> {
        let sets = self.index.namespace.api::<StatefulSet>();
        let name = self.set_of(revision);
        let before = sets.get(&name).await?.uid();
        let params = DeleteParams {
            propagation_policy: Some(policy),
            ..DeleteParams::default()
        };
        sets.delete(&name, &params).await?;
        wait::until("the set is back", wait::PATIENCE, async || {
            ensure!(sets.get(&name).await?.uid() != before, "it is the old one");
            Ok(())
        })
        .await
    }

    /// The unique ids of the ready pods of a revision.
    async fn ready_pods(&self, revision: &str) -> Result<Vec<Option<String>>> {
        let pods = self.index.pods_of(revision).await?;
        Ok(pods.iter().filter(|pod| is_ready(pod)).map(|pod| pod.uid()).collect())
    }

    /// Waits until a client is answered without a failure for a second's worth of questions.
    async fn is_answered_again(&self) -> Result<()> {
        wait::until("clients are answered again", wait::PATIENCE, async || {
            let before = self.asker.asked().await?;
            let after = self.asker.asks_on().await?;
            ensure!(before.failures == after.failures, "{after:?}");
            Ok(())
        })
        .await
    }

    /// Whether the candidate waits as before, and then takes over with the volumes that there were.
    async fn goes_on(self) -> Result<Asked> {
        let is_as_before = |i: &Indexer| {
            let revision = candidate(i).map(|candidate| candidate.revision.to_string());
            waits(i) && i.is_true(types::READY) && revision.as_ref() == Some(&self.candidate)
        };
        self.index.wait_until("all is as before", is_as_before).await?;
        ensure!(
            self.index.served().await? == self.serving,
            "clients were moved before their time"
        );
        self.node.mine_to(HEIGHT + 1).await?;
        self.index.serves(&self.candidate, wait::PATIENCE).await?;
        let asked = self.asker.receives(&stored(2, ASKED), wait::PATIENCE).await?;
        self.index.follows_to(HEIGHT + 1).await?;
        let (claims, revisions) = (claims(&self.index).await?, self.index.revisions().await?);
        ensure!(claims == self.claims, "{claims:?}, before {:?}", self.claims);
        ensure!(
            revisions.contains(&self.serving) && revisions.contains(&self.candidate),
            "{revisions:?}"
        );
        Ok(asked)
    }

    /// As [`Self::goes_on`], and no query failed.
    async fn goes_on_without_a_failed_query(self) -> Result<()> {
        let asked = self.goes_on().await?;
        let answers = [1, 2].map(|edition| as_answered(&stored(edition, ASKED)));
        ensure!(asked.is_exactly(&answers), "{asked:?}");
        Ok(())
    }

    /// As [`Self::goes_on`], and no query had another answer than these. Returns how many had none.
    async fn goes_on_with_right_answers(self) -> Result<u64> {
        let asked = self.goes_on().await?;
        let answers: Vec<&str> = asked.stretches.iter().map(|stretch| stretch.answer.as_str()).collect();
        let expected = [1, 2].map(|edition| as_answered(&stored(edition, ASKED)));
        ensure!(answers == expected && asked.more_stretches == 0, "{asked:?}");
        Ok(asked.failures)
    }
}

fn waits(indexer: &Indexer) -> bool {
    indexer
        .condition(types::ROLLOUT_IN_PROGRESS)
        .is_some_and(|c| c.reason == reasons::BLOCKED && c.message.contains("activateAt"))
}

async fn claims(index: &Index) -> Result<Vec<(String, Option<String>)>> {
    let claims = index.volume_claims().await?;
    let mut claims: Vec<_> = claims.iter().map(|claim| (claim.name_any(), claim.uid())).collect();
    claims.sort();
    Ok(claims)
}

#[tokio::test]
async fn the_serving_set_and_its_pods_are_deleted() -> Result<()> {
    in_namespace("lost-serving", async |namespace| {
        let stage = Stage::set(namespace).await?;
        let before = stage.ready_pods(&stage.serving).await?;
        let deleted = Instant::now();
        stage.loses_set(&stage.serving, PropagationPolicy::Background).await?;
        let remade = deleted.elapsed();
        wait::until("another pod is ready", wait::PATIENCE, async || {
            let pods = stage.ready_pods(&stage.serving).await?;
            ensure!(
                !pods.is_empty() && pods.iter().all(|pod| !before.contains(pod)),
                "{pods:?}"
            );
            Ok(())
        })
        .await?;
        stage.is_answered_again().await?;
        println!(
            "set remade after {remade:.1?}, clients answered again after {:.1?}",
            deleted.elapsed()
        );
        let failures = stage.goes_on_with_right_answers().await?;
        println!("{failures} questions got no answer");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_serving_set_is_deleted_without_its_pods() -> Result<()> {
    in_namespace("lost-orphan", async |namespace| {
        let stage = Stage::set(namespace).await?;
        let before = stage.ready_pods(&stage.serving).await?;
        stage.loses_set(&stage.serving, PropagationPolicy::Orphan).await?;
        stage.asker.asks_on().await?;
        let after = stage.ready_pods(&stage.serving).await?;
        ensure!(!after.is_empty() && after == before, "{after:?}, before {before:?}");
        stage.goes_on_without_a_failed_query().await
    })
    .await
}

#[tokio::test]
async fn the_set_of_the_candidate_is_deleted() -> Result<()> {
    in_namespace("lost-candidate", async |namespace| {
        let stage = Stage::set(namespace).await?;
        stage.loses_set(&stage.candidate, PropagationPolicy::Background).await?;
        stage.asker.asks_on().await?;
        stage.goes_on_without_a_failed_query().await
    })
    .await
}

#[tokio::test]
async fn the_service_is_deleted() -> Result<()> {
    in_namespace("lost-service", async |namespace| {
        let stage = Stage::set(namespace).await?;
        let (services, name) = (namespace.api::<Service>(), &stage.index.name);
        let before = services.get(name).await?.uid();
        let deleted = Instant::now();
        services.delete(name, &DeleteParams::default()).await?;
        wait::until("the Service is back", wait::PATIENCE, async || {
            ensure!(services.get(name).await?.uid() != before, "it is the old one");
            Ok(())
        })
        .await?;
        let remade = deleted.elapsed();
        stage.is_answered_again().await?;
        println!(
            "Service remade after {remade:.1?}, clients answered again after {:.1?}",
            deleted.elapsed()
        );
        let failures = stage.goes_on_with_right_answers().await?;
        println!("{failures} questions got no answer");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn all_config_maps_are_deleted() -> Result<()> {
    in_namespace("lost-maps", async |namespace| {
        let stage = Stage::set(namespace).await?;
        let (serving, waiting) = (
            stage.ready_pods(&stage.serving).await?,
            stage.ready_pods(&stage.candidate).await?,
        );
        let (maps, selected) = (namespace.api::<ConfigMap>(), stage.index.selected());
        maps.delete_collection(&DeleteParams::default(), &selected).await?;
        wait::until("both are back", wait::PATIENCE, async || {
            let found = maps.list(&selected).await?.items;
            ensure!(found.len() == 2, "there are {}", found.len());
            Ok(())
        })
        .await?;
        stage.asker.asks_on().await?;
        ensure!(
            stage.ready_pods(&stage.serving).await? == serving && stage.ready_pods(&stage.candidate).await? == waiting,
            "pods were replaced without need"
        );
        stage.goes_on_without_a_failed_query().await
    })
    .await
}

#[tokio::test]
async fn the_status_is_deleted() -> Result<()> {
    in_namespace("lost-status", async |namespace| {
        let stage = Stage::set(namespace).await?;
        let params = PatchParams::default();
        let erased = Patch::Merge(json!({"status": null}));
        let indexers = namespace.api::<Indexer>();
        indexers.patch_status(&stage.index.name, &params, &erased).await?;
        stage
            .index
            .wait_until("the status is back", |i| {
                i.status.as_ref().is_some_and(|s| !s.records.is_empty())
            })
            .await?;
        stage.goes_on_without_a_failed_query().await
    })
    .await
}
