//! Replicas whose databases are not the same are found out.

use anyhow::{Context, Result, ensure};
use crds::conditions::{reasons, types};
use e2e::{
    edition::edition,
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    rollout::candidate,
    tamper::tamper,
    trial::in_namespace,
    wait,
};
use k8s_openapi::api::core::v1::Endpoints;
use serde_json::json;

const HEIGHT: u32 = 60;

#[tokio::test]
async fn a_pod_with_a_tampered_database_is_named_leaves_the_service_and_blocks_a_switch() -> Result<()> {
    in_namespace("tampered", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain")
            .named("one")
            .soaking("1s")
            .set("replicas", json!(3));
        let waiting = manifest.clone().with("rollout", "activateAt", json!(HEIGHT + 3));
        let index = waiting.apply_with(namespace, &edition(1)?).await?;
        let equal = index.follows_to(HEIGHT).await?;
        ensure!(equal.is_true(types::CONSISTENT), "{:?}", equal.status);
        let serving = index.served().await?;
        waiting.apply_with(namespace, &edition(2)?).await?;
        let blocked = index
            .wait_until("a candidate waits for its height", |i| {
                i.condition(types::ROLLOUT_IN_PROGRESS)
                    .is_some_and(|c| c.message.contains("activateAt"))
            })
            .await?;
        let candidate = candidate(&blocked)
            .map(|c| c.revision.to_string())
            .context("a candidate")?;

        index.change(json!({"suspend": true})).await?;
        wait::until("all pods are gone", wait::PATIENCE, async || {
            ensure!(index.pods().await?.is_empty(), "not yet");
            Ok(())
        })
        .await?;
        for revision in [&serving, &candidate] {
            ensure!(
                tamper(namespace, &format!("data-one-{revision}-1")).await? == HEIGHT,
                "the newest block"
            );
        }
        index.change(json!({"suspend": false})).await?;
        node.mine_to(HEIGHT + 1).await?;

        let wrong = format!("one-{serving}-1");
        let found = index
            .wait_until("the difference, told by all pods", |i| {
                i.is_false(types::CONSISTENT, reasons::DIGESTS_DIFFER)
                    && i.is_false(types::READY, reasons::DIGESTS_DIFFER)
                    && i.is_true(types::STALLED)
            })
            .await?;
        let message = found
            .condition(types::CONSISTENT)
            .map(|c| c.message.clone())
            .unwrap_or_default();
        let words = format!("from height {HEIGHT} on the digest of {wrong} differs from that of");
        ensure!(message.contains(&words), "{words:?} is not in {message:?}");
        wait::until("it has left the Service", wait::PATIENCE, async || {
            let serve = pods_of_service(&index).await?;
            ensure!(serve.len() == 2 && !serve.contains(&wrong), "{serve:?}");
            Ok(())
        })
        .await?;

        // The candidate's height comes, but one of its pods is wrong too.
        node.mine_to(HEIGHT + 3).await?;
        let blocked = index
            .wait_until("the switch is blocked", |i| {
                let rollout = i.condition(types::ROLLOUT_IN_PROGRESS);
                rollout
                    .is_some_and(|c| c.reason == reasons::BLOCKED && c.message.contains(&format!("one-{candidate}-1")))
            })
            .await?;
        ensure!(index.served().await? == serving, "{:?}", blocked.status);
        Ok(())
    })
    .await
}

async fn pods_of_service(index: &Index) -> Result<Vec<String>> {
    #[allow(deprecated)] // one object for all of a Service, which says enough here
    let endpoints = index.namespace.api::<Endpoints>().get(&index.name).await?;
    let subsets = endpoints.subsets.unwrap_or_default();
    let addresses = subsets
        .into_iter()
        .flat_map(|subset| subset.addresses.unwrap_or_default());
    Ok(addresses.filter_map(|address| address.target_ref?.name).collect())
}
