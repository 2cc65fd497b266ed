//! A failed candidate leaves the serving revision alone, is reported with its reason, and disappears on a revert.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::conditions::{reasons, types};
use e2e::{
    cluster::Cluster,
    edition::edition,
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    rollout::candidate,
    trial::in_namespace,
    wait,
};
use k8s_openapi::api::core::v1::ResourceQuota;
use serde_json::json;

const HEIGHT: u32 = 160;
/// Counted from the start of the candidate's container: how long a volume takes is up to the cluster.
const PROMISED: Duration = Duration::from_secs(60);

/// A bad release: what is applied, and the words that must describe the failure.
struct Release {
    manifest: Manifest,
    module: Vec<u8>,
    words: &'static [&'static str],
}

#[tokio::test]
async fn a_failed_candidate_is_reported_touches_nothing_and_is_cleared_by_a_revert() -> Result<()> {
    in_namespace("bad", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let good = Manifest::of("plain").named("one").soaking("2s").delete_volumes();
        let index = good.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(HEIGHT).await?;
        let (served, pods) = (index.served().await?, uids(&index).await?);
        for release in bad_releases(&namespace.cluster, &good)? {
            fails(&index, release).await?;
            ensure!(index.served().await? == served, "clients were moved");
        }

        // The last one failed before its pod was placed. A set that is deleted before Kubernetes sets its volume's
        // owner leaves the volume behind (docs/src/reference.md).
        wait::until("every volume goes with its set", wait::PATIENCE, async || {
            let ownerless = index.claims_without_owner().await?;
            ensure!(ownerless.is_empty(), "{ownerless:?}");
            Ok(())
        })
        .await?;
        good.apply_with(namespace, &edition(1)?).await?;
        let what = "the revert clears it";
        index
            .wait_until(what, |i| {
                i.is_true(types::READY) && !i.is_true(types::STALLED) && !i.is_true(types::RECONCILING)
            })
            .await?;
        wait::until("only what serves is left", wait::PATIENCE, async || {
            let (revisions, claims) = (index.revisions().await?, index.claims().await?);
            ensure!(
                revisions == [served.clone()] && claims.len() == 1,
                "{revisions:?}, {claims:?}"
            );
            Ok(())
        })
        .await?;
        ensure!(uids(&index).await? == pods, "a pod that serves was replaced");
        Ok(())
    })
    .await
}

fn bad_releases(cluster: &Cluster, good: &Manifest) -> Result<[Release; 5]> {
    Ok([
        Release {
            manifest: good.clone().with("module", "sha256", json!("00".repeat(32))),
            module: edition(2)?,
            words: &["DigestMismatch"],
        },
        Release {
            manifest: good.clone(),
            module: b"\x7fELF".to_vec(),
            words: &["InvalidModule"],
        },
        Release {
            manifest: good.clone(),
            module: cluster.guest("no-start")?,
            words: &["MissingExport", "_start"],
        },
        Release {
            manifest: good.clone(),
            module: cluster.guest("trap-at")?,
            words: &["halted below height 150", "no luck at height 150"],
        },
        Release {
            // The guest burns 25 ms a block, so it is behind for some seconds; and no block counts as too late at once.
            manifest: good.clone().with("rollout", "progressDeadline", json!("0s")),
            module: cluster.guest("slow")?,
            words: &["no block indexed for 0s"],
        },
    ])
}

/// Applies a bad release, waits until its failure is reported, and checks that what serves is untouched.
async fn fails(index: &Index, release: Release) -> Result<()> {
    let Release {
        manifest,
        module,
        words,
    } = release;
    manifest.apply_with(&index.namespace, &module).await?;
    index.candidate_starts().await?;
    let failed = index
        .wait_within(PROMISED, words[0], |i| i.is_true(types::STALLED))
        .await?;
    let stalled = failed.condition(types::STALLED).context("it is there")?;
    ensure!(stalled.reason == reasons::CANDIDATE_FAILED, "{stalled:?}");
    let candidate = candidate(&failed).context("a candidate")?;
    for words in words.iter().copied().chain([candidate.revision.as_str()]) {
        ensure!(stalled.message.contains(words), "{words:?} is not in {stalled:?}");
    }
    ensure!(
        failed.is_true(types::READY)
            && failed.is_true(types::AVAILABLE)
            && failed.is_false(types::RECONCILING, reasons::AS_EXPECTED),
        "{:?}",
        failed.status
    );
    Ok(())
}

#[tokio::test]
async fn a_candidate_that_keeps_crashing_has_failed() -> Result<()> {
    in_namespace("crash", async |namespace| {
        let _node = Node::start(namespace, 5).await?;
        // What serves needs little; the next module fills a gibibyte on its first block, and the kernel kills it.
        let manifest = Manifest::of("plain")
            .named("one")
            .with("memory", "limit", json!("1Gi"))
            .set(
                "resources",
                json!({"requests": {"memory": "64Mi"}, "limits": {"memory": "192Mi"}}),
            );
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(5).await?;
        manifest.apply_with(namespace, &fills_memory()?).await?;
        let failed = index.wait_until("Stalled", |i| i.is_true(types::STALLED)).await?;
        let stalled = failed.condition(types::STALLED).context("it is there")?;
        ensure!(
            stalled.reason == reasons::CANDIDATE_FAILED && stalled.message.contains("OOMKilled"),
            "{stalled:?}"
        );
        ensure!(failed.is_true(types::READY), "{:?}", failed.status);
        Ok(())
    })
    .await
}

/// Takes all memory there is and writes to every page of it.
fn fills_memory() -> Result<Vec<u8>> {
    Ok(wat::parse_str(
        r#"(module
             (import "env" "__flush" (func $flush (param i32)))
             (memory (export "memory") 16384)
             (func (export "_start")
               (local $at i32)
               (loop $more
                 (i32.store (local.get $at) (i32.const -1))
                 (local.set $at (i32.add (local.get $at) (i32.const 4096)))
                 (br_if $more (i32.lt_u (local.get $at) (i32.const 1073741824))))
               (i32.store (i32.const 0) (i32.const 0))
               (call $flush (i32.const 4))))"#,
    )?)
}

#[tokio::test]
async fn a_quota_without_room_for_a_candidate_is_reported_and_waited_for() -> Result<()> {
    in_namespace("quota", async |namespace| {
        let _node = Node::start(namespace, 5).await?;
        let manifest = Manifest::of("plain").named("one").soaking("1s");
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(5).await?;
        let quota = |pods: &str| json!({"metadata": {"name": "tight"}, "spec": {"hard": {"pods": pods}}});
        namespace.apply::<ResourceQuota>(&quota("2")).await?;
        manifest.apply_with(namespace, &edition(2)?).await?;
        let blocked = index
            .wait_until("Blocked", |i| {
                i.condition(types::ROLLOUT_IN_PROGRESS)
                    .is_some_and(|c| c.reason == reasons::BLOCKED)
            })
            .await?;
        let message = blocked
            .condition(types::ROLLOUT_IN_PROGRESS)
            .map(|c| c.message.clone())
            .unwrap_or_default();
        ensure!(message.contains("exceeded quota: tight"), "{message}");
        ensure!(
            blocked.is_true(types::READY) && !blocked.is_true(types::STALLED),
            "{:?}",
            blocked.status
        );
        namespace.apply::<ResourceQuota>(&quota("5")).await?;
        let before = index.served().await?;
        wait::until("the candidate takes over", wait::PATIENCE, async || {
            ensure!(index.served().await? != before, "{:?}", index.get().await?.status);
            Ok(())
        })
        .await
    })
    .await
}

/// The unique ids of the pods that serve.
async fn uids(index: &Index) -> Result<Vec<String>> {
    let served = index.served().await?;
    let pods = index.pods_of(&served).await?;
    let uids: Vec<String> = pods.into_iter().filter_map(|pod| pod.metadata.uid).collect();
    ensure!(!uids.is_empty(), "no pod of {served} serves");
    Ok(uids)
}
