//! Two operators of which one leads, in place of the one that is installed; so this runs alone: cargo runs test files one
//! after the other. That nothing is written by the one that lost is counted in the audit log of a server of its own
//! (`operator/tests/server/election.rs`); here it is the chart, its rights, and a network that is really cut.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::Indexer;
use e2e::{
    index::Index,
    manifest::Manifest,
    operators::Operators,
    pod::{kill_process, restarts},
    trial::in_namespace,
    wait,
};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Service},
};
use kube::{ResourceExt, api::ListParams};
use serde_json::json;

/// What the product promises.
const TAKEN_OVER: Duration = Duration::from_secs(20);
const CUT: Duration = Duration::from_secs(60);

/// One test, since one installation is changed.
#[tokio::test]
async fn one_of_two_operators_leads_whatever_becomes_of_the_other() -> Result<()> {
    in_namespace("two", async |namespace| {
        let operators = Operators::two(&namespace.cluster).await?;
        let manifest = Manifest::of("plain").set("suspend", json!(true));
        let tested: Result<()> = async {
            let index = manifest.apply(namespace).await?;
            is_seen(&index, wait::PATIENCE).await?;
            let made = made(&index).await?;
            a_killed_leader_is_replaced(&operators, &index).await?;
            a_leader_that_is_cut_off_writes_nothing_more(&operators, &index).await?;
            ensure!(made == self::made(&index).await?, "objects were made twice");
            Ok(())
        }
        .await;
        // Whatever happens in between, one operator comes back: other tests need it.
        operators.restore().await?;
        tested
    })
    .await
}

async fn a_killed_leader_is_replaced(operators: &Operators<'_>, index: &Index) -> Result<()> {
    let (leader, other) = operators.led().await?;
    kill_process(&leader)?;
    index.change(json!({"memory": {"threshold": "96Mi"}})).await?;
    is_seen(index, TAKEN_OVER).await?;
    operators.leads_within(&other, TAKEN_OVER).await?;
    // Its container starts anew, and waits for its turn.
    let (still, _) = operators.led().await?;
    ensure!(still.name_any() == other.name_any(), "{} leads", still.name_any());
    Ok(())
}

async fn a_leader_that_is_cut_off_writes_nothing_more(operators: &Operators<'_>, index: &Index) -> Result<()> {
    let (leader, other) = operators.led().await?;
    let before = restarts(&leader);
    operators.cut(&leader)?;
    let followed: Result<()> = async {
        index.change(json!({"memory": {"threshold": "112Mi"}})).await?;
        is_seen(index, TAKEN_OVER).await?;
        operators.leads_within(&other, TAKEN_OVER).await?;
        // Its process has ended; the next one in its container cannot read the Lease.
        wait::until("the container has restarted", CUT, async || {
            let restarted = restarts(&operators.again(&leader).await?);
            ensure!(restarted > before, "{restarted} restarts");
            Ok(())
        })
        .await?;
        wait::throughout("it stands by", CUT, async || {
            let shown = operators.shown(&leader).await;
            // A container that is being started does not answer.
            ensure!(
                shown.as_ref().map_or(true, |s| !s.leads && s.writes == 0.0),
                "{shown:?}"
            );
            Ok(())
        })
        .await
    }
    .await;
    operators.heal(&leader)?;
    followed?;
    let (still, _) = operators.led().await?;
    ensure!(still.name_any() == other.name_any(), "{} leads", still.name_any());
    Ok(())
}

/// Waits until the status is that of the spec as it is now.
async fn is_seen(index: &Index, within: Duration) -> Result<()> {
    let is_seen = |indexer: &Indexer| {
        let seen = indexer.status.as_ref().map(|status| status.observed_generation);
        seen == indexer.metadata.generation
    };
    index.wait_within(within, "it is looked at", is_seen).await.map(drop)
}

/// The unique ids of the objects of an Indexer that no change of memory makes anew.
async fn made(index: &Index) -> Result<Vec<Option<String>>> {
    let labelled = ListParams::default().labels(&format!("shrewd.dev/indexer={}", index.name));
    let namespace = &index.namespace;
    let mut uids = Vec::new();
    uids.extend(
        namespace
            .api::<StatefulSet>()
            .list(&labelled)
            .await?
            .items
            .iter()
            .map(ResourceExt::uid),
    );
    uids.extend(
        namespace
            .api::<ConfigMap>()
            .list(&labelled)
            .await?
            .items
            .iter()
            .map(ResourceExt::uid),
    );
    uids.extend(
        namespace
            .api::<Service>()
            .list(&labelled)
            .await?
            .items
            .iter()
            .map(ResourceExt::uid),
    );
    uids.sort();
    Ok(uids)
}
