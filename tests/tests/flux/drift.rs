//! At rest nothing differs from git, and nothing is applied again.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::Indexer;
use e2e::{index::Index, kubectl, manifest::Manifest, node::Node, trial::in_namespace, wait};

use crate::team::{Team, documents};

/// Flux's field manager.
const FLUX: &str = "kustomize-controller";
/// How many times in a row Flux must find nothing to do.
const ROUNDS: u64 = 4;
/// Time for the last figures of a synchronisation, and for the rounds, each of which takes Flux ten seconds.
const WITHIN: Duration = Duration::from_secs(240);

#[tokio::test]
async fn at_rest_nothing_differs_from_git_and_nothing_is_applied_again() -> Result<()> {
    in_namespace("flux-drift", async |namespace| {
        let _node = Node::start(namespace, 60).await?;
        let plain = documents(namespace, "plain", &Manifest::of("plain"))?;
        let team = Team::with(namespace, &[("plain.yaml", plain.clone())]).await?;
        team.flux.applied(&team.commit).await?;
        let index = team.index("plain");
        let generation = index.get().await?.metadata.generation;

        let mut seen = (None, 0);
        wait::until("rounds of Flux in which nothing is written", WITHIN, async || {
            let version = index.get().await?.metadata.resource_version;
            let rounds = team.flux.state().await?.reconciliations();
            if seen.0 != version {
                seen = (version, rounds);
            }
            let quiet = rounds.saturating_sub(seen.1);
            ensure!(quiet >= ROUNDS, "{quiet} rounds since the last write");
            Ok(())
        })
        .await?;

        let at_rest = index.get().await?;
        ensure!(
            at_rest.metadata.generation == generation,
            "the spec was changed: {at_rest:?}"
        );
        let owners = owners_of_spec(&at_rest);
        ensure!(owners == [FLUX], "the spec belongs to {owners:?}");
        let diff = kubectl::diff(namespace, &plain)?;
        ensure!(diff.is_empty(), "{diff}");
        differs_when_changed(&index, &plain).await
    })
    .await
}

/// An empty difference counts only if a change would show.
async fn differs_when_changed(index: &Index, committed: &[serde_json::Value]) -> Result<()> {
    let mut changed = committed.to_vec();
    let indexer = changed.last_mut().context("an Indexer is committed")?;
    indexer["spec"]["memory"]["threshold"] = serde_json::json!("96Mi");
    let diff = kubectl::diff(&index.namespace, &changed)?;
    ensure!(diff.contains("threshold: 96Mi"), "kubectl sees no difference: {diff:?}");
    Ok(())
}

/// Managers of any field of the spec.
fn owners_of_spec(indexer: &Indexer) -> Vec<&str> {
    let entries = indexer.metadata.managed_fields.iter().flatten();
    let of_spec = entries.filter(|entry| {
        let fields = entry.fields_v1.as_ref();
        fields.is_some_and(|fields| fields.0.get("f:spec").is_some())
    });
    of_spec.filter_map(|entry| entry.manager.as_deref()).collect()
}
