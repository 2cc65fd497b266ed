//! Data that this version does not read: what is written, and whose turn it is.

use crds::STORE_FORMAT;
use k8s_openapi::api::apps::v1::StatefulSet;

use super::*;
use crate::{
    record::{MadeWith, Record},
    rollout::Decision,
    validate::ValidIndexer,
};

/// What an operator of another version made, whose image was `old`.
fn made_before(store_format: u32) -> Plan {
    let valid = ValidIndexer {
        image: "old".into(),
        ..fixtures::valid()
    };
    let settled = fixtures::settled(&valid);
    let made_with = Some(MadeWith {
        image: "old".into(),
        store_format,
    });
    let sets = settled.sets.iter().map(|(revision, record)| {
        let record = Record {
            made_with: made_with.clone(),
            ..record.clone()
        };
        (revision.clone(), record)
    });
    let decision = Decision {
        sets: sets.collect(),
        ..settled.clone()
    };
    plan(&valid, &decision, &Sizes::default(), &Memories::default())
}

/// A set of another Indexer, whose index is being built again.
fn built_again_elsewhere() -> StatefulSet {
    let valid = fixtures::valid();
    let revision = valid.identity.revision_in(STORE_FORMAT);
    let mut labels = names::object_labels("two", Some(&revision));
    labels.insert("unrelated".into(), "yes".into());
    let annotations = json!({names::ANNOTATION_RECORD: valid.declared().text()});
    let metadata = json!({"name": names::of_revision("two", &revision), "namespace": "ns", "uid": "u",
                          "labels": labels, "annotations": annotations});
    serde_json::from_value(json!({ "metadata": metadata })).unwrap()
}

fn set_of_candidate() -> String {
    let revision = fixtures::valid().identity.revision_in(STORE_FORMAT);
    let set = names::of_revision("one", &revision);
    format!("PATCH /apis/apps/v1/namespaces/ns/statefulsets/{set}")
}

fn image_of(set: &Value) -> &Value {
    &set["spec"]["template"]["spec"]["containers"][0]["image"]
}

#[tokio::test]
async fn data_that_is_too_old_is_built_beside_and_its_pods_are_left_as_they_are() {
    let (client, calls) = api_server(|call| {
        // Also the answer to whether a stranger has the name of the candidate's set.
        let metadata = json!({"uid": format!("uid-of-{}", set_name()), "resourceVersion": "1",
                              "ownerReferences": fixtures::live(&planned()).children.into_values().next().unwrap()
                                  ["metadata"]["ownerReferences"]});
        let sets = json!({"code": 200, "metadata": {}, "items": [{ "metadata": metadata }]});
        let is_list = call == "GET /apis/apps/v1/namespaces/ns/statefulsets";
        is_list.then_some(sets).or_else(|| as_decided_on(call))
    });
    let context = context(client, &caches(Some(&made_before(0)), vec![]));
    reconcile(watched(), context).await.unwrap();
    assert_eq!(image_of(&body_of(&calls, &set_of_candidate())), "shrewd-indexer:test");
    let serving = format!("PATCH /apis/apps/v1/namespaces/ns/statefulsets/{}", set_name());
    assert!(!names_of(&calls).contains(&serving), "{:?}", names_of(&calls));
}

#[tokio::test]
async fn an_indexer_waits_while_another_one_is_built_again() {
    let (client, calls) = api_server(as_decided_on);
    let mut caches = caches(Some(&made_before(0)), vec![]);
    let mut sets = caches.stores.stateful_sets.of(&fixtures::key());
    sets.push(built_again_elsewhere());
    let (sets, writer) = cache_of_sets(sets);
    caches.stores.stateful_sets = sets;
    caches._writers.push(writer);
    let action = reconcile(watched(), context(client, &caches)).await.unwrap();
    assert_eq!(action, Action::requeue(Duration::from_secs(30)));
    let written = names_of(&calls);
    assert!(
        !written.iter().any(|call| call.contains("/statefulsets/")),
        "{written:?}"
    );
    let rollout = last_condition(&calls, "RolloutInProgress");
    assert_eq!(
        (&rollout["status"], &rollout["reason"]),
        (&json!("True"), &json!("Queued"))
    );
}

#[tokio::test]
async fn data_that_is_too_new_keeps_its_image_and_somebody_must_act() {
    let (client, calls) = api_server(as_decided_on);
    let caches = caches(Some(&made_before(STORE_FORMAT + 1)), vec![]);
    reconcile(watched(), context(client, &caches)).await.unwrap();
    let written = names_of(&calls);
    assert!(
        !written.iter().any(|call| call.contains("/statefulsets/")),
        "{written:?}"
    );
    assert_eq!(last_condition(&calls, "Stalled")["reason"], "StoreFormatRefused");
}
