//! A second release in the cluster, with rights in one namespace, beside the one that looks after all of them.

use anyhow::{Result, ensure};
use crds::Indexer;
use e2e::{index::Index, manifest::Manifest, node::Node, operators::Operators, trial::in_namespace};
use kube::ResourceExt as _;
use serde_json::json;

const CLASS: &str = "second";
const HEIGHT: u32 = 5;

#[tokio::test]
async fn a_second_release_looks_after_its_class_and_leaves_others_alone() -> Result<()> {
    in_namespace("releases", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let mine = Manifest::of("plain").named("first").apply(namespace).await?;
        let theirs = Manifest::of("plain").named("second");
        let theirs = theirs.set("operatorClass", json!(CLASS)).apply(namespace).await?;
        let first = installation_of(&mine.follows_to(HEIGHT).await?);
        ensure!(
            theirs
                .get()
                .await?
                .status
                .is_none_or(|status| status.operator.is_none())
        );

        Operators::installed(&namespace.cluster)?.beside(namespace, CLASS)?;
        let second = installation_of(&theirs.follows_to(HEIGHT).await?);
        ensure!(second.starts_with(&format!("{}/", namespace.name)), "{second}");
        ensure!(
            installation_of(&mine.get().await?) == first,
            "it took what is not its own"
        );

        // Handed over: the same image and defaults, so the same pods.
        let pod = mine.pod().await?.uid();
        mine.change(json!({"operatorClass": CLASS})).await?;
        handed_over(&mine, &second).await?;
        node.mine_to(HEIGHT + 1).await?;
        mine.follows_to(HEIGHT + 1).await?;
        ensure!(mine.pod().await?.uid() == pod, "its pod was replaced");
        mine.change(json!({"operatorClass": null})).await?;
        handed_over(&mine, &first).await
    })
    .await
}

async fn handed_over(index: &Index, to: &str) -> Result<()> {
    let what = format!("{to} looks after it");
    index
        .wait_until(&what, |indexer| {
            let seen = indexer.status.as_ref().map(|status| status.observed_generation);
            installation_of(indexer) == to && seen == indexer.metadata.generation
        })
        .await
        .map(drop)
}

fn installation_of(indexer: &Indexer) -> String {
    let operator = indexer.status.as_ref().and_then(|status| status.operator.as_ref());
    operator.map_or_else(String::new, |operator| operator.installation.clone())
}
