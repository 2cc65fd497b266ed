//! Snapshots as Indexers declare them: one publishes, others begin with what it published.

use anyhow::{Context as _, Result, ensure};
use crds::{
    Indexer, LatestSnapshot,
    conditions::types,
    pod::{seed_reasons, snapshot_reasons},
};
use e2e::{
    edition::edition,
    index::{Index, Says},
    manifest::Manifest,
    namespace::Namespace,
    node::Node,
    person::Person,
    s3::{BUCKET, S3},
    trial::in_namespace,
};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{ResourceExt as _, api::ListParams};
use serde_json::{Value, json};

#[tokio::test]
async fn an_index_that_begins_with_a_snapshot_ends_like_one_that_began_at_genesis() -> Result<()> {
    in_namespace("snapshots", async |namespace| {
        let node = Node::start(namespace, 30).await?;
        let server = S3::start(namespace).await?;
        let first = publisher().apply(namespace).await?;
        first.follows_to(30).await?;
        let oldest = published(&first, 30).await?;
        node.mine_to(40).await?;
        published(&first, 40).await?;
        node.mine_to(50).await?;
        let newest = published(&first, 50).await?;
        let untouched = first.pod().await?.uid();

        node.mine_to(57).await?;
        let second = beginning("second", &newest).apply(namespace).await?;
        let copy = second.follows_to(57).await?;
        let original = first.follows_to(57).await?;
        ensure!(
            copy.digest().is_some() && copy.digest() == original.digest(),
            "another index"
        );
        let report = second.report().await?;
        ensure!(report.seed.reason == seed_reasons::SEEDED, "{:?}", report.seed);
        let log = namespace.log_of(&second.pod().await?).await?;
        ensure!(
            log.contains("the store is a snapshot") && log.contains(&newest.url),
            "{log}"
        );

        // Of three, two are kept.
        let late = beginning("late", &oldest).apply(namespace).await?;
        refused(&late, "is not there").await?;
        late.delete().await?;
        // Another module is another index.
        let other = beginning("other", &newest).apply_with(namespace, &edition(1)?).await?;
        refused(&other, "its module is").await?;

        // At a height that is not due, because somebody asks for one.
        let editor = Person::with_role(namespace, "edit").await?;
        let said = editor.told(&["snapshot", "now", "first", "--wait"])?;
        let asked_for = published(&first, 57).await?;
        ensure!(
            asked_for.height == 57 && said.contains(&asked_for.url),
            "{said}: {asked_for:?}"
        );

        ensure!(
            first.pod().await?.uid() == untouched,
            "the pod that publishes was replaced"
        );
        nobody_shows(namespace, &server).await
    })
    .await
}

#[tokio::test]
async fn a_storage_that_does_not_let_us_is_named_and_indexing_goes_on() -> Result<()> {
    in_namespace("denied", async |namespace| {
        let node = Node::start(namespace, 12).await?;
        let server = S3::start(namespace).await?;
        // Without keys, until the Secret that has them is named.
        let manifest = publisher().with("snapshots", "authSecretRef", json!({"name": "later"}));
        let index = manifest.apply(namespace).await?;
        index
            .wait_until("SnapshotsReady=False", |indexer| {
                indexer.is_false(types::SNAPSHOTS_READY, snapshot_reasons::CREDENTIALS_MISSING)
            })
            .await?;
        node.mine_to(14).await?;
        index.follows_to(14).await?;
        let right = json!({"authSecretRef": {"name": e2e::s3::SECRET}});
        index.change(json!({"snapshots": right})).await?;
        published(&index, 14).await?;
        index.follows_to(14).await?;
        nobody_shows(namespace, &server).await
    })
    .await
}

/// An Indexer that publishes every ten blocks and keeps two.
pub(super) fn publisher() -> Manifest {
    let mut snapshots = S3::reached(&format!("s3://{BUCKET}/prefix"));
    snapshots["everyBlocks"] = json!(10);
    snapshots["keep"] = json!(2);
    Manifest::of("plain").named("first").set("snapshots", snapshots)
}

/// An Indexer that begins with a snapshot.
pub(super) fn beginning(name: &str, snapshot: &LatestSnapshot) -> Manifest {
    let mut bootstrap = S3::reached(&snapshot.url);
    bootstrap["manifestSha256"] = json!(snapshot.manifest_sha256);
    bootstrap["verify"] = json!("Digests");
    Manifest::of("plain")
        .named(name)
        .set("bootstrap", json!({"snapshot": bootstrap}))
}

/// Waits until a snapshot of this height or a higher one is whole.
pub(super) async fn published(index: &Index, height: u32) -> Result<LatestSnapshot> {
    let latest = |indexer: &Indexer| indexer.status.as_ref()?.snapshots.as_ref()?.latest.clone();
    let found = index
        .wait_until(&format!("a snapshot at {height}"), |indexer| {
            indexer.is_true(types::SNAPSHOTS_READY) && latest(indexer).is_some_and(|latest| latest.height >= height)
        })
        .await?;
    latest(&found).context("a snapshot")
}

/// Waits until an Indexer says why it does not begin, and looks that it has not.
async fn refused(index: &Index, words: &str) -> Result<()> {
    let found = index
        .wait_until("Stalled=True, SnapshotRefused", |indexer| {
            let stalled = indexer.condition(types::STALLED);
            stalled.is_some_and(|stalled| stalled.status == "True" && stalled.reason == seed_reasons::SNAPSHOT_REFUSED)
        })
        .await?;
    let stalled = found.condition(types::STALLED).context("the condition")?;
    ensure!(stalled.message.contains(words), "{}", stalled.message);
    ensure!(
        found.is_false(types::READY, seed_reasons::SNAPSHOT_REFUSED) && found.height().is_none(),
        "it has begun: {:?}",
        found.status
    );
    Ok(())
}

/// Looks for the keys of the server in whatever can be read without reading Secrets.
async fn nobody_shows(namespace: &Namespace, server: &S3) -> Result<()> {
    let all = ListParams::default();
    let pods = namespace.api::<Pod>().list(&all).await?.items;
    let configs = namespace.api::<ConfigMap>().list(&all).await?.items;
    let indexers = namespace.api::<Indexer>().list(&all).await?.items;
    let mut texts: Vec<String> = Vec::new();
    for pod in pods
        .iter()
        .filter(|pod| pod.labels().contains_key("shrewd.dev/indexer"))
    {
        texts.push(namespace.log_of(pod).await?);
    }
    ensure!(!texts.is_empty(), "no pod has a log");
    texts.push(namespace.cluster.operator_log().await?);
    let objects: Value = json!({"pods": pods, "configs": configs, "indexers": indexers});
    texts.push(objects.to_string());
    for key in &server.keys {
        ensure!(
            !texts.iter().any(|text| text.contains(key)),
            "somebody shows a key of the server"
        );
    }
    Ok(())
}
