//! Volumes that get another size, and claims that are left.

use anyhow::{Context, Result, ensure};
use crds::{
    ClaimRow, Indexer,
    conditions::{reasons, types},
};
use e2e::{
    edition::edition,
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    pod::restarts,
    recording::Recording,
    storage::{EXPANDING, enlarge, expanding_class, finish, requested},
    trial::in_namespace,
    wait,
};
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{PersistentVolumeClaim, Pod, ResourceQuota},
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::{ResourceExt, api::DeleteParams};
use serde_json::json;

const HEIGHT: u32 = 30;
const DECLARED: &str = "256Mi";
const RAISED: &str = "512Mi";
const THRESHOLD: &str = "96Mi";
const THRESHOLD_BYTES: u64 = 96 << 20;

#[tokio::test]
async fn a_raised_size_reaches_claims_and_set_while_the_pod_runs_on() -> Result<()> {
    in_namespace("grow", async |namespace| {
        expanding_class(namespace).await?;
        let _node = Node::start(namespace, HEIGHT).await?;
        // With `Delete` the claims go with their set, unless they are freed of it before it is replaced.
        let index = Manifest::of("plain")
            .named("one")
            .with("storage", "storageClassName", json!(EXPANDING))
            .delete_volumes()
            .apply(namespace)
            .await?;
        index.follows_to(HEIGHT).await?;
        let (pod, set) = (index.pod().await?, set(&index).await?);
        owned_by(&index, &set).await?;

        let pods = Recording::start(namespace.api::<Pod>(), index.selected()).await?;
        let claims = Recording::start(namespace.api::<PersistentVolumeClaim>(), index.selected()).await?;
        index.change(json!({"storage": {"size": RAISED}})).await?;
        index
            .wait_until("the volume is to grow", |i| {
                i.is_false(types::STORAGE_READY, reasons::RESIZING)
            })
            .await?;
        ensure!(index.get().await?.is_true(types::AVAILABLE), "no pod serves");
        let all = index.claims().await?;
        for claim in &all {
            enlarge(namespace, claim).await?;
        }
        index
            .wait_until("the file system is to grow", |i| {
                i.is_false(types::STORAGE_READY, reasons::FILE_SYSTEM_RESIZE_PENDING) && i.is_true(types::AVAILABLE)
            })
            .await?;
        for claim in &all {
            finish(namespace, claim).await?;
        }
        index.wait_until("the volume has grown", has_its_size).await?;
        let next = replaced(&index, &set, RAISED).await?;
        owned_by(&index, &next).await?;
        index.follows_to(HEIGHT).await?;

        for state in pods.end().await? {
            let is_same = state.uid() == pod.uid() && state.metadata.deletion_timestamp.is_none();
            ensure!(is_same && restarts(&state) == 0, "the pod went: {:?}", state.metadata);
        }
        for state in claims.end().await? {
            ensure!(state.metadata.deletion_timestamp.is_none(), "{} went", state.name_any());
        }

        index.change(json!({"replicas": 2})).await?;
        index
            .wait_until("a second pod follows", |i| {
                i.is_true(types::READY) && i.status.as_ref().is_some_and(|status| status.ready_replicas == 2)
            })
            .await?;
        all_ask_for(&index, RAISED, 2).await
    })
    .await
}

#[tokio::test]
async fn a_class_that_cannot_expand_and_a_smaller_size_hold_nothing_else_up() -> Result<()> {
    in_namespace("cannot-grow", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("plain").named("one").apply(namespace).await?;
        index.follows_to(HEIGHT).await?;
        let pod = index.pod().await?.uid();

        let both = json!({"storage": {"size": RAISED}, "memory": {"threshold": THRESHOLD}});
        index.change(both).await?;
        let is_carried_out = |i: &Indexer| i.is_true(types::READY) && i.memory().threshold_bytes == THRESHOLD_BYTES;
        index
            .wait_until("the class is named, and the other change is carried out", |i| {
                i.is_false(types::STORAGE_READY, reasons::CLASS_CANNOT_EXPAND) && is_carried_out(i)
            })
            .await?;
        ensure!(index.pod().await?.uid() != pod, "it is the old pod");

        index.change(json!({"storage": {"size": DECLARED}})).await?;
        index
            .wait_until("all is well again", |i| has_its_size(i) && i.is_true(types::READY))
            .await?;

        index.change(json!({"storage": {"size": "128Mi"}})).await?;
        index
            .wait_until("a smaller size is refused", |i| {
                i.is_false(types::STORAGE_READY, reasons::SIZE_REFUSED) && i.is_true(types::READY)
            })
            .await?;
        all_ask_for(&index, DECLARED, 1).await?;
        wait::until(
            "the set has the size that the claims have",
            wait::PATIENCE,
            async || {
                let set = set(&index).await?;
                ensure!(size_of(&set) == Some(Quantity(DECLARED.into())), "{:?}", size_of(&set));
                Ok(())
            },
        )
        .await
    })
    .await
}

#[tokio::test]
async fn a_quota_that_does_not_let_a_volume_grow_is_named_until_it_does() -> Result<()> {
    in_namespace("quota", async |namespace| {
        expanding_class(namespace).await?;
        let _node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("plain")
            .named("one")
            .with("storage", "storageClassName", json!(EXPANDING))
            .apply(namespace)
            .await?;
        index.follows_to(HEIGHT).await?;
        let quota = json!({"metadata": {"name": "disks"}, "spec": {"hard": {"requests.storage": "300Mi"}}});
        namespace.apply::<ResourceQuota>(&quota).await?;
        let quotas = namespace.api::<ResourceQuota>();
        wait::until("the quota is counted", wait::PATIENCE, async || {
            let used = quotas.get("disks").await?.status.and_then(|status| status.used);
            ensure!(used.is_some_and(|used| !used.is_empty()), "it is not");
            Ok(())
        })
        .await?;

        index.change(json!({"storage": {"size": RAISED}})).await?;
        index
            .wait_until("the quota is named", |i| {
                i.is_false(types::STORAGE_READY, reasons::QUOTA_EXCEEDED) && i.is_true(types::AVAILABLE)
            })
            .await?;
        quotas.delete("disks", &DeleteParams::default()).await?;
        index
            .wait_until("the volume is to grow", |i| {
                i.is_false(types::STORAGE_READY, reasons::RESIZING)
            })
            .await?;
        all_ask_for(&index, RAISED, 1).await
    })
    .await
}

#[tokio::test]
async fn the_claim_of_a_revision_that_is_gone_is_shown_until_it_is_deleted_by_hand() -> Result<()> {
    in_namespace("claims", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain")
            .named("one")
            .soaking("1s")
            .with("rollout", "keepPrevious", json!("1s"));
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(HEIGHT).await?;
        let [before] = <[String; 1]>::try_from(index.claims().await?).map_err(|all| anyhow::anyhow!("{all:?}"))?;

        manifest.apply_with(namespace, &edition(2)?).await?;
        let row = |i: &Indexer| rows(i).into_iter().find(|row| row.name == before);
        let left = index
            .wait_until("the first revision is gone", |i| {
                rows(i).len() == 2 && row(i).is_some_and(|row| !row.in_use) && i.is_true(types::READY)
            })
            .await?;
        let left = row(&left).context("the claim")?;
        ensure!(left.capacity.as_deref() == Some(DECLARED), "{left:?}");

        let claims = namespace.api::<PersistentVolumeClaim>();
        claims.delete(&before, &DeleteParams::default()).await?;
        index
            .wait_until("the claim is not shown any more", |i| rows(i).len() == 1)
            .await?;
        Ok(())
    })
    .await
}

/// Whether nothing keeps volumes from their size. Those of this cluster are folders on the machine's disk, which may be
/// nearly full.
fn has_its_size(indexer: &Indexer) -> bool {
    indexer.is_true(types::STORAGE_READY) || indexer.is_false(types::STORAGE_READY, reasons::VOLUME_LOW)
}

fn rows(indexer: &Indexer) -> Vec<ClaimRow> {
    let storage = indexer.status.as_ref().and_then(|status| status.storage.as_ref());
    storage.map(|storage| storage.claims.clone()).unwrap_or_default()
}

/// Its only set.
async fn set(index: &Index) -> Result<StatefulSet> {
    let sets = index.namespace.api::<StatefulSet>().list(&index.selected()).await?;
    sets.items.into_iter().next().context("there is no set")
}

/// The size of volumes of new pods.
fn size_of(set: &StatefulSet) -> Option<Quantity> {
    let templates = set.spec.as_ref()?.volume_claim_templates.as_ref()?;
    let claim = PersistentVolumeClaim {
        spec: templates.first()?.spec.clone(),
        ..PersistentVolumeClaim::default()
    };
    requested(&claim)
}

/// Waits until another set has this size, and deletes its claims with itself as the one before did.
async fn replaced(index: &Index, before: &StatefulSet, size: &str) -> Result<StatefulSet> {
    wait::until("the set is replaced", wait::PATIENCE, async || {
        let next = set(index).await?;
        ensure!(next.uid() != before.uid(), "it is the old one");
        ensure!(size_of(&next) == Some(Quantity(size.into())), "{:?}", size_of(&next));
        let policy = |set: &StatefulSet| set.spec.clone()?.persistent_volume_claim_retention_policy;
        ensure!(policy(&next) == policy(before), "{:?}", policy(&next));
        Ok(next)
    })
    .await
}

/// Waits until every claim goes with a set.
async fn owned_by(index: &Index, set: &StatefulSet) -> Result<()> {
    wait::until("the claims go with their set", wait::PATIENCE, async || {
        for claim in index.volume_claims().await? {
            let owners = claim.owner_references();
            let is_owned = owners.iter().any(|owner| Some(&owner.uid) == set.metadata.uid.as_ref());
            ensure!(is_owned, "{owners:?}");
        }
        Ok(())
    })
    .await
}

async fn all_ask_for(index: &Index, size: &str, count: usize) -> Result<()> {
    let claims = index.volume_claims().await?;
    let sizes: Vec<_> = claims.iter().filter_map(requested).collect();
    ensure!(sizes == vec![Quantity(size.into()); count], "{sizes:?}");
    Ok(())
}
