//! Passes over Indexers that are nobody's, ours, or another operator's.

use crds::{OperatorStatus, conditions::types};

use super::*;

const STATUS: &str = "PATCH /apis/shrewd.dev/v1alpha1/namespaces/ns/indexers/one/status";

/// What the watch brings: the status names this operator.
fn looked_after_by(operator: Option<OperatorStatus>, version: &str) -> Arc<Watched> {
    let mut indexer = fixtures::indexer();
    indexer.metadata.resource_version = Some(version.into());
    indexer.status.as_mut().unwrap().operator = operator;
    Arc::new(DeserializeGuard(Ok(indexer)))
}

fn another_installation() -> OperatorStatus {
    OperatorStatus {
        installation: "ops/shrewd".into(),
        version: "9.9.9".into(),
        ..fixtures::operator()
    }
}

fn other_settings() -> OperatorStatus {
    OperatorStatus {
        settings: "0123456789".into(),
        ..fixtures::operator()
    }
}

fn left_alone(context: &Context, why: &str) -> String {
    let text = String::from_utf8(context.metrics.text().unwrap()).unwrap();
    let name = format!("shrewd_operator_left_alone_indexers{{why=\"{why}\"}} ");
    let count = text.lines().find_map(|line| line.strip_prefix(&name));
    count.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn one_that_is_nobodys_is_taken_as_it_was_seen_before_anything_is_made() {
    let (client, calls) = api_server(|_| None);
    let context = context(client, &caches(None, vec![]));
    reconcile(looked_after_by(None, "7"), Arc::clone(&context))
        .await
        .unwrap();
    let writes = names_of(&calls);
    assert_eq!(writes[0], STATUS);
    assert!(
        writes.len() > 5 && writes[1].contains("/serviceaccounts/"),
        "{writes:?}"
    );
    let calls = calls.lock().unwrap();
    let statuses: Vec<&Value> = calls
        .iter()
        .filter(|(call, _)| call == STATUS)
        .map(|(_, body)| body)
        .collect();
    let expected = json!({"observedGeneration": -1, "operator": fixtures::operator(), "conditions": [], "replicas": 0,
                          "readyReplicas": 0});
    assert_eq!(statuses[0]["status"], expected, "as it was, but for that");
    assert_eq!(statuses[0]["metadata"]["resourceVersion"], "7");
    assert_eq!(statuses[1]["status"]["operator"], json!(fixtures::operator()));
}

#[tokio::test]
async fn of_two_that_take_one_the_second_looks_again_and_has_made_nothing() {
    let (client, calls) = api_server(|call| {
        let conflict = json!({"status": "Failure", "code": 409, "reason": "Conflict", "message": "it changed"});
        (call == STATUS).then_some(conflict)
    });
    let context = context(client, &caches(None, vec![]));
    let error = reconcile(looked_after_by(None, "7"), Arc::clone(&context))
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::LookAgain);
    assert_eq!(names_of(&calls), [STATUS]);
    // What the watch brings then.
    let theirs = looked_after_by(Some(another_installation()), "8");
    let action = reconcile(theirs, Arc::clone(&context)).await.unwrap();
    assert_eq!(action, Action::await_change());
    let writes = names_of(&calls).split_off(1);
    assert_eq!(writes, ["POST /apis/events.k8s.io/v1/namespaces/ns/events"]);
}

#[tokio::test]
async fn what_is_left_alone_is_told_once_and_nothing_of_it_is_written() {
    let (client, calls) = api_server(|_| None);
    // Everything about it could be written: there are no objects.
    let context = context(client, &caches(None, vec![]));
    for version in ["7", "8", "9"] {
        let theirs = looked_after_by(Some(another_installation()), version);
        reconcile(theirs, Arc::clone(&context)).await.unwrap();
    }
    assert_eq!(calls.lock().unwrap().len(), 1, "one event, and nothing is read");
    let notes = notes(&calls, "OtherInstallation");
    assert!(
        notes[0].starts_with("operator ops/shrewd (version 9.9.9) looks after"),
        "{notes:?}"
    );
    assert_eq!(left_alone(&context, "installation"), "1");
    // Handed over, as the note says how.
    reconcile(looked_after_by(None, "10"), Arc::clone(&context))
        .await
        .unwrap();
    assert!(names_of(&calls).contains(&STATUS.to_owned()));
    assert_eq!(left_alone(&context, "installation"), "0");
}

#[tokio::test]
async fn one_of_another_class_is_nothing_to_speak_of() {
    let (client, calls) = api_server(as_decided_on);
    let context = context(client, &caches(None, vec![]));
    let mut indexer = fixtures::indexer();
    indexer.spec.operator_class = Some("blue".into());
    let watched = Arc::new(DeserializeGuard(Ok(indexer)));
    let action = reconcile(watched, Arc::clone(&context)).await.unwrap();
    assert_eq!(action, Action::await_change());
    assert_eq!(calls.lock().unwrap().len(), 0);
    assert_eq!(left_alone(&context, "installation"), "0");
}

#[tokio::test]
async fn the_conditions_of_one_that_is_handed_to_another_class_are_its_operators_to_show() {
    let (client, _calls) = api_server(|_| None);
    let context = context(client, &caches(None, vec![]));
    let shown = || {
        let text = String::from_utf8(context.metrics.text().unwrap()).unwrap();
        text.matches("_indexer_condition{").count()
    };
    reconcile(watched(), Arc::clone(&context)).await.unwrap();
    assert_eq!(shown(), types::ALL.len());
    let mut indexer = fixtures::indexer();
    indexer.spec.operator_class = Some("blue".into());
    let handed = Arc::new(DeserializeGuard(Ok(indexer)));
    reconcile(handed, Arc::clone(&context)).await.unwrap();
    assert_eq!(shown(), 0);
}

#[tokio::test]
async fn one_that_another_process_took_over_is_not_taken_back() {
    let (client, calls) = api_server(as_decided_on);
    let context = context(client, &caches(Some(&planned()), vec![]));
    // Of an earlier process: taken.
    reconcile(looked_after_by(Some(other_settings()), "1"), Arc::clone(&context))
        .await
        .unwrap();
    let taken = names_of(&calls).len();
    assert!(taken >= 2, "{:?}", names_of(&calls));
    for version in ["7", "8"] {
        let theirs = looked_after_by(Some(other_settings()), version);
        reconcile(theirs, Arc::clone(&context)).await.unwrap();
    }
    let later = names_of(&calls).split_off(taken);
    assert_eq!(later, ["POST /apis/events.k8s.io/v1/namespaces/ns/events"]);
    assert_eq!(notes(&calls, "Superseded").len(), 1);
    assert_eq!(left_alone(&context, "superseded"), "1");
}

/// The watch may be late, so the server is asked before something that exists is changed.
#[tokio::test]
async fn what_somebody_took_over_meanwhile_is_not_changed() {
    let (client, calls) = api_server(|call| match call {
        "GET /apis/shrewd.dev/v1alpha1/namespaces/ns/indexers/one" => {
            let status = json!({"operator": other_settings()});
            Some(json!({"code": 200, "metadata": {"uid": "uid-1", "generation": 1}, "status": status}))
        }
        _ => as_decided_on(call),
    });
    let mut plan = planned();
    let budget = plan
        .children
        .iter_mut()
        .find(|child| child.kind == ChildKind::PodDisruptionBudget);
    budget.unwrap().body["spec"]["maxUnavailable"] = json!(7);
    let context = context(client, &caches(Some(&plan), vec![]));
    let error = reconcile(watched(), Arc::clone(&context)).await.unwrap_err();
    assert_eq!(error.class(), Class::LookAgain);
    assert_eq!(names_of(&calls), Vec::<String>::new());
}
