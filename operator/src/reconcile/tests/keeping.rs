//! What is written so that data is not forgotten, and that nothing is where it may have been.

use super::*;

/// What is planned, or nothing, with a claim whose volume has data beside it.
fn with_claim(plan: Option<&Plan>, annotations: Option<Value>) -> Caches {
    let mut claim = fixtures::bound_claim(&format!("data-{}", pod_name(0)), "50Gi");
    claim.metadata.annotations = annotations.map(|annotations| serde_json::from_value(annotations).unwrap());
    let mut filled = caches(plan, vec![]);
    let (claims, writer) = cache(vec![claim]);
    filled.stores.claims = claims;
    filled._writers.push(writer);
    filled
}

fn stamping() -> String {
    format!(
        "PATCH /api/v1/namespaces/ns/persistentvolumeclaims/data-{}",
        pod_name(0)
    )
}

fn record_of(object: &Value) -> &Value {
    &object["metadata"]["annotations"][names::ANNOTATION_RECORD]
}

#[tokio::test]
async fn a_claim_gets_the_record_of_its_revision_and_the_status_has_it_too() {
    let (client, calls) = api_server(as_decided_on);
    let plan = planned();
    let context = context(client, &with_claim(Some(&plan), None));
    reconcile(watched(), Arc::clone(&context)).await.unwrap();
    assert!(counted(&context).contains(&"PersistentVolumeClaim record 1".to_owned()));
    let config = plan
        .children
        .iter()
        .find(|child| child.kind == ChildKind::ConfigMap)
        .unwrap();
    let stamped = body_of(&calls, &stamping());
    assert_eq!(record_of(&stamped), record_of(&config.body));
    let metadata = &stamped["metadata"];
    assert_eq!(metadata["annotations"][names::ANNOTATION_INDEXER_UID], "uid-1");
    let claim = format!("uid-of-data-{}", pod_name(0));
    assert_eq!(
        (&metadata["uid"], &metadata["resourceVersion"]),
        (&json!(claim), &json!("1"))
    );
    assert_eq!(last_status(&calls)["records"][0]["record"], *record_of(&config.body));
}

#[tokio::test]
async fn a_claim_that_cannot_be_written_holds_nothing_else_up() {
    let (client, calls) = api_server(|call| {
        let refusal = json!({"status": "Failure", "code": 403, "reason": "Forbidden", "message": "no"});
        (call.starts_with("PATCH") && call.contains("persistentvolumeclaims")).then_some(refusal)
    });
    let error = reconcile(watched(), context(client, &with_claim(None, Some(stamp_of_another())))).await;
    error.unwrap_err();
    let written = names_of(&calls);
    assert!(
        written.iter().any(|call| call.contains("/statefulsets/")),
        "{written:?}"
    );
}

/// The record of the revision that is declared, written for an Indexer before this one.
fn stamp_of_another() -> Value {
    json!({names::ANNOTATION_RECORD: fixtures::valid().declared().text(), names::ANNOTATION_INDEXER_UID: "uid-0"})
}

#[tokio::test]
async fn where_nothing_but_a_claim_is_left_nothing_is_written_but_what_to_do() {
    let (client, calls) = api_server(|_| None);
    let caches = with_claim(None, None);
    let claims = caches.stores.claims.of(&fixtures::key());
    reconcile(watched(), context(client, &caches)).await.unwrap();
    let writes = names_of(&calls);
    let is_told = |call: &String| call.ends_with("/indexers/one/status") || call.ends_with("/events");
    assert!(writes.iter().all(is_told), "{writes:?}");
    let stalled = last_condition(&calls, "Stalled");
    assert_eq!(
        (&stalled["status"], &stalled["reason"]),
        (&json!("True"), &json!("RecordLost"))
    );
    let (message, claim) = (
        stalled["message"].as_str().unwrap(),
        claims[0].metadata.name.as_deref().unwrap(),
    );
    assert!(
        message.contains(&format!("kubectl delete -n ns pvc {claim}")),
        "{message}"
    );
}
