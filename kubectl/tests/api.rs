//! The commands against an API server that is played: what each asks, and what it says of refusals.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests fail like tests

mod guest_logs;
mod reports;
mod server;

use std::{fs, path::Path, time::Duration};

use kubectl_shrewd::{
    commands::{
        complete,
        diff::{self, Outcome},
        query, refresh, snapshot, status, suspend, top, why,
    },
    document::Format,
    requests::Wait,
    rpc::At,
    style::Style,
};
use serde_json::{Value, json};
use server::{Answer, not_found, refusal, server};

const ONE: &str = "GET /apis/shrewd.dev/v1alpha1/namespaces/default/indexers/outpoints";
const LIST: &str = "GET /apis/shrewd.dev/v1alpha1/namespaces/default/indexers";
const ALL: &str = "GET /apis/shrewd.dev/v1alpha1/indexers";

fn stage(name: &str) -> Value {
    let path = format!("{}/tests/stages/{name}/in.yaml", env!("CARGO_MANIFEST_DIR"));
    serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn list(items: &[Value]) -> Answer {
    Answer::ok(&json!({ "apiVersion": "shrewd.dev/v1alpha1", "kind": "IndexerList", "metadata": {}, "items": items }))
}

#[tokio::test]
async fn status_why_and_top_need_nothing_but_to_read_indexers() {
    let (cluster, calls) = server(|call, _| match call {
        ONE => Answer::ok(&stage("following")),
        LIST | ALL => list(&[stage("following")]),
        _ => refusal(403),
    });
    let style = Style::default();
    assert!(
        status::status(&cluster, "outpoints", None, style)
            .await
            .unwrap()
            .contains("902310")
    );
    let json = status::status(&cluster, "outpoints", Some(Format::Json), style)
        .await
        .unwrap();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["disk"]["daysLeft"], 149);
    assert!(
        why::why(&cluster, "outpoints", None, style)
            .await
            .unwrap()
            .contains("is as it should be")
    );
    assert!(
        top::top(&cluster, false, None, style)
            .await
            .unwrap()
            .0
            .contains("outpoints")
    );
    assert!(
        top::top(&cluster, true, None, style)
            .await
            .unwrap()
            .0
            .starts_with("NAMESPACE")
    );
    assert_eq!(calls.made(), [ONE, ONE, ONE, LIST, ALL]);
}

#[tokio::test]
async fn a_name_that_does_not_exist_brings_up_similar_ones() {
    let (cluster, _) = server(|call, _| match call {
        LIST => list(&[stage("following")]),
        _ => not_found("indexers", "outpoint"),
    });
    let error = status::status(&cluster, "outpoint", None, Style::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no Indexer outpoint in namespace default; similar: outpoints"
    );
}

#[tokio::test]
async fn an_indexer_of_another_namespace_is_found_there() {
    let (cluster, _) = server(|call, _| match call {
        LIST => list(&[]),
        ALL => {
            let mut other = stage("following");
            other["metadata"]["namespace"] = json!("prod");
            list(&[other])
        }
        _ => not_found("indexers", "outpoints"),
    });
    let error = why::why(&cluster, "outpoints", None, Style::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no Indexer outpoints in namespace default; there is one in namespace prod"
    );
}

#[tokio::test]
async fn names_are_completed_from_one_list_and_never_by_an_error() {
    let (cluster, calls) = server(|call, _| match call {
        LIST => list(&[stage("following"), json!({"metadata": {"name": "other"}})]),
        _ => refusal(404),
    });
    assert_eq!(complete::names(&cluster, "out").await, ["outpoints"]);
    assert_eq!(complete::names(&cluster, "").await, ["outpoints", "other"]);
    assert_eq!(calls.made(), [LIST, LIST]);
    let (cluster, _) = server(|_, _| refusal(403));
    assert_eq!(complete::names(&cluster, "").await, [""; 0]);
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let cases = [
        (
            refusal(403),
            "you may not get indexers.shrewd.dev in namespace default: the ClusterRole shrewd-indexers-view has it",
        ),
        (refusal(401), "the API server does not accept the credentials"),
        (
            Answer::text(404, "404 page not found\n"),
            "shrewd is not installed in this cluster",
        ),
        (
            Answer::never(),
            "no answer to `get indexers.shrewd.dev in namespace default` within 0 seconds",
        ),
    ];
    for (answer, words) in cases {
        let (cluster, _) = server(move |_, _| answer.clone());
        let error = status::status(&cluster, "outpoints", None, Style::default())
            .await
            .unwrap_err();
        assert!(error.to_string().starts_with(words), "{error}");
    }
}

#[tokio::test]
async fn top_of_an_empty_namespace_says_so() {
    let (cluster, _) = server(|_, _| list(&[]));
    let (said, remarks) = top::top(&cluster, false, None, Style::default()).await.unwrap();
    assert_eq!(said, "There are no Indexers in namespace default.\n");
    assert_eq!(remarks, [""; 0]);
}

#[tokio::test]
async fn top_says_in_every_form_what_it_lacks() {
    let mut broken = stage("following");
    broken["metadata"]["name"] = json!("broken");
    broken["spec"]["chain"] = json!(7);
    for format in [None, Some(Format::Json), Some(Format::Yaml)] {
        let items = [stage("following"), broken.clone()];
        // The list never ends.
        let metadata = json!({ "continue": "more" });
        let (cluster, _) = server(move |_, _| Answer::ok(&json!({ "metadata": metadata, "items": items })));
        let (said, remarks) = top::top(&cluster, false, format, Style::default()).await.unwrap();
        assert!(said.contains("outpoints") && !said.contains("broken"), "{said}");
        assert!(
            remarks[0].starts_with("Left out: Indexer broken has a form"),
            "{remarks:?}"
        );
        assert_eq!(remarks.last().unwrap(), "There are more, which are left out.");
    }
}

#[tokio::test]
async fn a_refresh_is_requested_and_waited_for() {
    let (cluster, calls) = server(|call, state| {
        let mut indexer = stage("following");
        if call.starts_with("PATCH") {
            return Answer::ok(&indexer);
        }
        // The operator is done at the second look after the request.
        let requests: Vec<Value> = state.bodies("PATCH");
        if let (Some(request), true) = (requests.first(), state.count(ONE) > 2) {
            indexer["status"]["lastHandledRefreshAt"] =
                request["metadata"]["annotations"]["shrewd.dev/refresh-requested-at"].clone();
        }
        Answer::ok(&indexer)
    });
    let wait = Wait {
        timeout: Duration::from_secs(60),
        every: Duration::from_millis(1),
    };
    let said = refresh::refresh(&cluster, "outpoints", Some(wait)).await.unwrap();
    assert!(
        said.starts_with("Requested a refresh of outpoints in namespace default: every pod made"),
        "{said}"
    );
    assert_eq!(calls.count(ONE), 3);
}

#[tokio::test]
async fn a_refresh_that_takes_too_long_is_no_longer_waited_for() {
    let (cluster, _) = server(|_, _| Answer::ok(&stage("following")));
    let wait = Wait {
        timeout: Duration::ZERO,
        every: Duration::from_millis(1),
    };
    let error = refresh::refresh(&cluster, "outpoints", Some(wait)).await.unwrap_err();
    assert!(error.to_string().contains("the request stays"), "{error}");
    let (cluster, calls) = server(|_, _| Answer::ok(&stage("suspended")));
    let error = refresh::refresh(&cluster, "outpoints", None).await.unwrap_err();
    assert!(error.to_string().contains("no pods to refresh"), "{error}");
    assert_eq!(calls.made(), [ONE]);
}

#[tokio::test]
async fn a_snapshot_is_requested_and_waited_for() {
    let (cluster, calls) = server(|call, state| {
        let mut indexer = stage("following");
        if call.starts_with("PATCH") {
            return Answer::ok(&indexer);
        }
        let requests: Vec<Value> = state.bodies("PATCH");
        if let (Some(request), true) = (requests.first(), state.count(ONE) > 2) {
            indexer["status"]["lastHandledSnapshotAt"] =
                request["metadata"]["annotations"]["shrewd.dev/snapshot-requested-at"].clone();
        }
        Answer::ok(&indexer)
    });
    let wait = Wait {
        timeout: Duration::from_secs(60),
        every: Duration::from_millis(1),
    };
    let said = snapshot::now(&cluster, "outpoints", Some(wait)).await.unwrap();
    let words = "Requested a snapshot of outpoints in namespace default.\n\
                 Height 902000 is at s3://indexes/outpoints/902000 after ";
    assert!(said.starts_with(words), "{said}");
    assert_eq!(calls.count(ONE), 3);
}

#[tokio::test]
async fn a_snapshot_that_nobody_would_publish_is_not_requested() {
    let mut undeclared = stage("following");
    undeclared["spec"].as_object_mut().unwrap().remove("snapshots");
    let mut suspended = stage("following");
    suspended["spec"]["suspend"] = json!(true);
    for (indexer, words) in [(undeclared, "publishes no snapshots"), (suspended, "it is suspended")] {
        let (cluster, calls) = server(move |_, _| Answer::ok(&indexer));
        let error = snapshot::now(&cluster, "outpoints", None).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(calls.made(), [ONE]);
    }
    let (cluster, _) = server(|call, _| match call {
        ONE => Answer::ok(&stage("following")),
        _ => refusal(403),
    });
    let error = snapshot::now(&cluster, "outpoints", None).await.unwrap_err();
    assert!(
        error.to_string().starts_with("you may not patch indexers.shrewd.dev"),
        "{error}"
    );
}

#[tokio::test]
async fn a_snapshot_that_takes_too_long_or_is_of_a_halted_index_has_its_words() {
    let (cluster, _) = server(|_, _| Answer::ok(&stage("following")));
    let wait = Wait {
        timeout: Duration::ZERO,
        every: Duration::from_millis(1),
    };
    let error = snapshot::now(&cluster, "outpoints", Some(wait)).await.unwrap_err();
    assert!(error.to_string().contains("the request stays"), "{error}");
    let mut halted = stage("halted");
    halted["spec"]["snapshots"] = stage("following")["spec"]["snapshots"].clone();
    let (cluster, _) = server(move |_, _| Answer::ok(&halted));
    let said = snapshot::now(&cluster, "outpoints", None).await.unwrap();
    assert!(said.contains("which is halted"), "{said}");
}

#[tokio::test]
async fn suspending_changes_one_field_and_only_if_it_must() {
    let patch = ONE.replace("GET", "PATCH");
    let (cluster, calls) = server(|_, _| Answer::ok(&stage("following")));
    suspend::set(&cluster, "outpoints", false).await.unwrap();
    assert_eq!(calls.made(), [ONE]);
    suspend::set(&cluster, "outpoints", true).await.unwrap();
    assert_eq!(calls.made(), [ONE, ONE, patch.as_str()]);
    assert_eq!(calls.bodies("PATCH"), [json!({ "spec": { "suspend": true } })]);
    let (cluster, _) = server(|call, _| match call {
        ONE => Answer::ok(&stage("following")),
        _ => refusal(403),
    });
    let error = suspend::set(&cluster, "outpoints", true).await.unwrap_err();
    let words =
        "you may not patch indexers.shrewd.dev in namespace default: the ClusterRole shrewd-indexers-edit has it";
    assert!(error.to_string().starts_with(words), "{error}");
}

const PODS: &str = "GET /api/v1/namespaces/default/pods";
const POD: &str = "outpoints-7c1d9a0b2e-0";

/// The pod of an Indexer, with a secret in it.
fn pod(ready: bool) -> Value {
    let status = if ready { "True" } else { "False" };
    json!({
        "metadata": { "name": POD, "namespace": "default" },
        "spec": { "containers": [{ "name": "indexer", "env": [{ "name": "A", "value": "hunter2" }] }] },
        "status": { "conditions": [{ "type": "Ready", "status": status }] },
    })
}

fn items(items: &[Value]) -> Answer {
    Answer::ok(&json!({ "metadata": {}, "items": items }))
}

fn tip() -> query::Query {
    query::Query {
        function: "tip".into(),
        input: "0x".into(),
        at: At::Latest,
    }
}

#[tokio::test]
async fn a_query_without_the_right_to_forward_says_which_role_has_it() {
    let (cluster, calls) = server(|call, _| match call {
        ONE => Answer::ok(&stage("following")),
        PODS => items(&[pod(true)]),
        _ => refusal(403),
    });
    let error = query::query(&cluster, "outpoints", &tip(), None).await.unwrap_err();
    let words = format!("{error:#}");
    assert!(
        words.contains("you may not get pods/portforward in namespace default"),
        "{words}"
    );
    assert!(words.contains("Kubernetes' own ClusterRole edit does"), "{words}");
    let forward = format!("{PODS}/{POD}/portforward");
    assert_eq!(calls.made(), [ONE, PODS, forward.as_str()]);
}

#[tokio::test]
async fn a_query_needs_a_pod_that_answers_and_an_input_in_hex() {
    let (cluster, _) = server(|call, _| match call {
        ONE => Answer::ok(&stage("syncing")),
        _ => items(&[pod(false)]),
    });
    let error = query::query(&cluster, "outpoints", &tip(), None).await.unwrap_err();
    assert!(
        error.to_string().starts_with("no pod of outpoints is ready to answer"),
        "{error}"
    );
    let query = query::Query {
        input: "0x123".into(),
        ..tip()
    };
    let error = query::query(&cluster, "outpoints", &query, None).await.unwrap_err();
    assert!(error.to_string().starts_with("\"0x123\" is not hex"), "{error}");
}

/// A change of a manifest.
type Edit = fn(&mut Value);

/// A manifest in a file: that of a stage, with a field changed.
fn manifest(folder: &Path, edit: impl Fn(&mut Value)) -> std::path::PathBuf {
    let mut manifest = stage("following");
    manifest.as_object_mut().unwrap().remove("status");
    edit(&mut manifest);
    let file = folder.join("manifest.yaml");
    fs::write(&file, serde_yaml::to_string(&manifest).unwrap()).unwrap();
    file
}

#[tokio::test]
async fn a_difference_is_told_from_none_and_from_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(Edit, Outcome, &str); 5] = [
        (|_| {}, Outcome::Same, ""),
        (
            |it| it["spec"]["module"]["sha256"] = json!("ab".repeat(32)),
            Outcome::Differs,
            "a new identity: revision",
        ),
        (
            |it| it["spec"]["suspend"] = json!(true),
            Outcome::Differs,
            "pods are removed, data is kept",
        ),
        (
            |it| it["spec"]["chain"]["network"] = json!("signet"),
            Outcome::Refused,
            "refused: it never changes",
        ),
        (
            |it| {
                it["spec"]["chain"]["startHeight"] = json!(1);
                it["spec"]["rollout"]["strategy"] = json!("InPlace");
            },
            Outcome::Refused,
            "a new identity, which the operator refuses",
        ),
    ];
    for (edit, expected, words) in cases {
        let (cluster, calls) = server(|_, _| Answer::ok(&stage("following")));
        let file = manifest(folder.path(), edit);
        let (said, outcome) = diff::diff(&cluster, &file, None, Style::default()).await.unwrap();
        assert_eq!(outcome, expected, "{said}");
        assert!(said.contains(words), "{said}");
        assert_eq!(calls.made(), [ONE]);
    }
    let (cluster, _) = server(|_, _| not_found("indexers", "outpoints"));
    let file = manifest(folder.path(), |_| {});
    let (said, outcome) = diff::diff(&cluster, &file, None, Style::default()).await.unwrap();
    assert!(
        said.contains("it does not exist yet") && outcome == Outcome::Differs,
        "{said}"
    );
    let error = diff::diff(&cluster, &file, Some("other"), Style::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("--namespace says other"), "{error}");
}
