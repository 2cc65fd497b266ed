//! Writes that decide something: on what they are made, and how pods go.

use k8s_openapi::api::apps::v1::StatefulSet;

use super::*;

/// Caches with one pod that was made from a template before the newest one.
fn with_outdated_pod(status: &Value) -> Caches {
    let mut pod = fixtures::pod(&pod_name(0), status);
    let labels = pod.metadata.labels.as_mut().unwrap();
    labels.insert("controller-revision-hash".into(), "old".into());
    let mut filled = caches(Some(&planned()), vec![pod]);
    let mut set: StatefulSet = filled.stores.stateful_sets.of(&fixtures::key()).remove(0);
    set.metadata.generation = Some(1);
    set.status = fixtures::stateful_set("new").status;
    let (stateful_sets, writer) = cache_of_sets(vec![set]);
    filled.stores.stateful_sets = stateful_sets;
    filled._writers.push(writer);
    filled
}

fn not_ready() -> Value {
    json!({"phase": "Pending"})
}

fn eviction() -> String {
    format!("POST /api/v1/namespaces/ns/pods/{}/eviction", pod_name(0))
}

#[tokio::test]
async fn a_pod_that_is_not_ready_is_deleted_as_it_was_decided_on() {
    let (client, calls) = api_server(as_decided_on);
    let caches = with_outdated_pod(&not_ready());
    reconcile(watched(), context(client, &caches)).await.unwrap();
    let call = format!("DELETE /api/v1/namespaces/ns/pods/{}", pod_name(0));
    let preconditions = body_of(&calls, &call)["preconditions"].clone();
    let expected = json!({"uid": format!("uid-of-{}", pod_name(0)), "resourceVersion": "1"});
    assert_eq!(preconditions, expected);
}

#[tokio::test]
async fn a_ready_pod_goes_by_eviction_and_only_the_one_that_it_was_decided_on() {
    let (client, calls) = api_server(as_decided_on);
    let caches = with_outdated_pod(&fixtures::running_status());
    let context = context(client, &caches);
    reconcile(watched(), Arc::clone(&context)).await.unwrap();
    assert_eq!(counted(&context), ["Pod replace 1"]);
    let preconditions = body_of(&calls, &eviction())["deleteOptions"]["preconditions"].clone();
    let expected = json!({"uid": format!("uid-of-{}", pod_name(0))});
    assert_eq!(preconditions, expected);
    assert!(!names_of(&calls).iter().any(|call| call.starts_with("DELETE")));
}

#[tokio::test]
async fn a_budget_that_says_no_is_waited_for_and_is_no_failure() {
    let (client, calls) = api_server(|call| {
        let cause = json!({"reason": "DisruptionBudget", "message": "The disruption budget one needs 1 healthy pods."});
        let refusal = json!({"status": "Failure", "code": 429, "reason": "TooManyRequests",
                             "message": "Cannot evict pod as it would violate the pod's disruption budget.",
                             "details": {"causes": [cause]}});
        (call == eviction()).then_some(refusal).or_else(|| as_decided_on(call))
    });
    let caches = with_outdated_pod(&fixtures::running_status());
    let context = context(client, &caches);
    let action = reconcile(watched(), Arc::clone(&context)).await.unwrap();
    assert_eq!(action, Action::requeue(Duration::from_secs(5)));
    let ready = last_condition(&calls, "Ready");
    let message = ready["message"].as_str().unwrap();
    assert_eq!(ready["reason"], "RollingPods");
    assert!(message.contains("cannot be evicted now"), "{message}");
    assert!(
        message.contains("The disruption budget one needs 1 healthy pods."),
        "{message}"
    );
    assert_eq!(
        notes(&calls, "EvictionRefused"),
        [""; 0],
        "each replacement ends with a moment of it"
    );
    let metrics = String::from_utf8(context.metrics.text().unwrap()).unwrap();
    assert!(metrics.contains("reconciles_total{outcome=\"ok\"} 1"), "{metrics}");
}

#[tokio::test]
async fn two_budgets_over_a_pod_are_named_with_the_cure() {
    let (client, calls) = api_server(|call| {
        let budget = |name: &str, labels: Value| json!({"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}}});
        let budgets = json!({"code": 200, "metadata": {}, "items": [
            budget("one", json!({"shrewd.dev/indexer": "one"})),
            budget("mine", json!({"app.kubernetes.io/name": "shrewd-indexer"})),
            budget("other", json!({"app": "other"})),
        ]});
        let failure = json!({"status": "Failure", "code": 500, "reason": "InternalError",
            "message": "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."});
        match call {
            "GET /apis/policy/v1/namespaces/ns/poddisruptionbudgets" => Some(budgets),
            call if call == eviction() => Some(failure),
            call => as_decided_on(call),
        }
    });
    let caches = with_outdated_pod(&fixtures::running_status());
    reconcile(watched(), context(client, &caches)).await.unwrap();
    let notes = notes(&calls, "BudgetsOverlap");
    assert!(notes[0].contains("these select it: mine, one; "), "{notes:?}");
    let message = last_condition(&calls, "Ready")["message"].to_string();
    assert!(message.contains("these select it: mine, one; "), "{message}");
}

#[tokio::test]
async fn an_eviction_that_fails_for_another_reason_is_a_failure() {
    let (client, _) = api_server(|call| {
        let failure = json!({"status": "Failure", "code": 500, "reason": "InternalError", "message": "etcd is away"});
        (call == eviction()).then_some(failure).or_else(|| as_decided_on(call))
    });
    let caches = with_outdated_pod(&fixtures::running_status());
    let error = reconcile(watched(), context(client, &caches)).await.unwrap_err();
    assert_eq!(error.class(), Class::RetryLater);
}

fn no_objects() -> Option<Value> {
    Some(json!({"code": 200, "metadata": {}, "items": []}))
}

/// What the API server has is not what the caches have.
async fn assert_looked_again(server: fn(&str) -> Option<Value>, may_have_written: &[&str]) {
    let (client, calls) = api_server(server);
    let caches = with_outdated_pod(&not_ready());
    let context = context(client, &caches);
    let error = reconcile(watched(), Arc::clone(&context)).await.unwrap_err();
    assert_eq!(error.class(), Class::LookAgain, "{error:?}");
    let action = error_policy(watched(), &error, Arc::clone(&context));
    assert_eq!(action, Action::requeue(Duration::from_millis(500)));
    assert_eq!(names_of(&calls), may_have_written);
    let metrics = String::from_utf8(context.metrics.text().unwrap()).unwrap();
    assert!(metrics.contains("shrewd_operator_looks_again_total 1"), "{metrics}");
    assert!(!metrics.contains("reconcile_errors_total{"), "{metrics}");
}

#[tokio::test]
async fn nothing_is_destroyed_on_what_a_silent_watch_has_left_in_the_caches() {
    let other_spec = |call: &str| {
        let path = "GET /apis/shrewd.dev/v1alpha1/namespaces/ns/indexers/one";
        let newer = json!({"code": 200, "metadata": {"uid": "uid-1", "generation": 2}});
        (call == path).then_some(newer).or_else(|| as_decided_on(call))
    };
    assert_looked_again(other_spec, &[]).await;
    let other_pods = |call: &str| {
        if call.ends_with("/pods") {
            no_objects()
        } else {
            as_decided_on(call)
        }
    };
    assert_looked_again(other_pods, &[]).await;
    let other_sets = |call: &str| {
        if call.ends_with("/statefulsets") {
            no_objects()
        } else {
            as_decided_on(call)
        }
    };
    assert_looked_again(other_sets, &[]).await;
    let other_services = |call: &str| {
        let newer = json!({"metadata": {"uid": "uid-of-one", "resourceVersion": "2"}});
        let newer = json!({"code": 200, "metadata": {}, "items": [newer]});
        if call.ends_with("/services") {
            Some(newer)
        } else {
            as_decided_on(call)
        }
    };
    assert_looked_again(other_services, &[]).await;
}

#[tokio::test]
async fn a_conflict_is_looked_at_again_and_shown_to_nobody() {
    let deletion = format!("DELETE /api/v1/namespaces/ns/pods/{}", pod_name(0));
    let conflict = |call: &str| {
        let refusal = json!({"status": "Failure", "code": 409, "reason": "Conflict", "message": "modified"});
        call.starts_with("DELETE ")
            .then_some(refusal)
            .or_else(|| as_decided_on(call))
    };
    assert_looked_again(conflict, &[deletion.as_str()]).await;
}

#[tokio::test]
async fn an_object_is_applied_over_the_version_that_was_decided_on() {
    let (client, calls) = api_server(as_decided_on);
    let mut filled = caches(
        Some(&planned()),
        vec![fixtures::pod(&pod_name(0), &fixtures::running_status())],
    );
    let services = filled
        .stores
        .services
        .of(&fixtures::key())
        .into_iter()
        .map(|mut service| {
            service.spec.as_mut().unwrap().selector = None;
            service
        });
    let (services, writer) = cache(services.collect());
    filled.stores.services = services;
    filled._writers.push(writer);
    reconcile(watched(), context(client, &filled)).await.unwrap();
    let body = body_of(&calls, "PATCH /api/v1/namespaces/ns/services/one");
    assert_eq!(body["metadata"]["resourceVersion"], "1");
    assert_eq!(body["spec"]["selector"]["shrewd.dev/serves"], "clients");
}

#[tokio::test]
async fn a_status_that_keeps_changing_is_written_at_a_pace() {
    let (client, calls) = api_server(as_decided_on);
    let caches = caches(Some(&planned()), vec![]);
    let context = context(client, &caches);
    let mut passes = 0;
    // A write that has no room is made later, which is the only thing that calls for another pass here.
    loop {
        let mut indexer = fixtures::indexer();
        indexer.spec.suspend = passes % 2 == 0;
        // What this process wrote last is what there is.
        indexer.metadata.resource_version = Some("1".into());
        let watched = Arc::new(DeserializeGuard(Ok(indexer)));
        if reconcile(watched, Arc::clone(&context)).await.unwrap() != Action::await_change() {
            break;
        }
        passes += 1;
        assert!(passes < 200, "every change is written");
    }
    let written = names_of(&calls).iter().filter(|call| call.ends_with("/status")).count();
    assert_eq!(written, passes);
    assert!(written >= 30, "{written}");
}
