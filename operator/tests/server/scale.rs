//! `spec.replicas` belongs to people and autoscalers: what they set through the scale subresource is followed and never
//! written back.

use std::time::Duration;

use crds::Indexer;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::support::{
    api_server::{ApiServer, NAMESPACE},
    indexer,
    process::Operator,
    within,
};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn what_scales_an_indexer_is_followed_and_keeps_its_field() {
    const AUTOSCALER: &str = "an-autoscaler";
    let server = ApiServer::start(&["admin", "a"]).await;
    let client = server.client("admin").await;
    let indexers: Api<Indexer> = Api::namespaced(client.clone(), NAMESPACE);
    let sets: Api<StatefulSet> = Api::namespaced(client, NAMESPACE);
    indexers.create(&PostParams::default(), &indexer("one")).await.unwrap();
    let _operator = Operator::start("a", &server, server.port);
    let follows = async |replicas: i32| {
        within("the set has the replicas", LONG, async || {
            let found = sets.list(&ListParams::default()).await.unwrap().items;
            let spec = found.first()?.spec.as_ref()?;
            (spec.replicas == Some(replicas)).then_some(())
        })
        .await;
    };
    let handles = async |suspend: bool| {
        let params = PatchParams::default();
        let patch = Patch::Merge(json!({"spec": {"suspend": suspend}}));
        let generation = indexers
            .patch("one", &params, &patch)
            .await
            .unwrap()
            .metadata
            .generation;
        within("the status is that of the spec", LONG, async || {
            let status = indexers.get("one").await.unwrap().status?;
            (Some(status.observed_generation) == generation).then_some(())
        })
        .await;
    };
    follows(1).await;

    // As `kubectl scale` and the autoscaler of Kubernetes do it.
    for replicas in [3, 2] {
        let params = PatchParams {
            field_manager: Some(AUTOSCALER.into()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        let scaled = indexers.patch_scale("one", &params, &patch).await.unwrap();
        assert_eq!(scaled.spec.and_then(|spec| spec.replicas), Some(replicas));
        follows(replicas).await;
        // Passes over a spec that others change.
        handles(true).await;
        handles(false).await;
        follows(replicas).await;
        let now = indexers.get("one").await.unwrap();
        assert_eq!(now.spec.replicas, replicas);

        let managed = now.metadata.managed_fields.unwrap();
        let writes_replicas = |fields: &serde_json::Value| !fields["f:spec"]["f:replicas"].is_null();
        let owners = managed
            .iter()
            .filter(|entry| entry.fields_v1.as_ref().is_some_and(|it| writes_replicas(&it.0)));
        let owners: Vec<_> = owners
            .map(|entry| entry.manager.as_deref().unwrap_or_default())
            .collect();
        assert!(owners.contains(&AUTOSCALER), "{managed:?}");
        let ours = managed
            .iter()
            .filter(|entry| entry.manager.as_deref() == Some("shrewd-operator"));
        let ours: Vec<_> = ours.map(|entry| entry.subresource.as_deref()).collect();
        assert_eq!(ours, [Some("status")], "it writes the status and nothing else");
    }
    let written = server
        .writes()
        .into_iter()
        .filter(|write| write.user == "a" && write.name == "one");
    let written: Vec<String> = written.map(|write| write.resource).collect();
    assert!(
        written.iter().any(|resource| resource == "indexers/status"),
        "{written:?}"
    );
    assert!(!written.iter().any(|resource| resource == "indexers"), "{written:?}");
}
