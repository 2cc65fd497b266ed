//! The rights that the chart gives, on a real API server: with them two operators work, and what they must not do is
//! refused, in every namespace or in those that are watched.

use std::{path::Path, process::Command, time::Duration};

use crds::Indexer;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, PostParams, TypeMeta},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use crate::support::{
    api_server::{ApiServer, NAMESPACE},
    indexer,
    process::Operator,
    within,
};

const ACCOUNT: &str = "system:serviceaccount:shrewd-system:shrewd";
const LONG: Duration = Duration::from_secs(60);
/// A namespace that is not watched.
const ELSEWHERE: &str = "default";

/// Verb, group, resource, name, namespace.
type Wish = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// What nobody may who has not to: each would be a way out of the operator's work.
const REFUSED: [Wish; 15] = [
    ("update", "", "pods/resize", "any", NAMESPACE),
    ("get", "", "secrets", "any", NAMESPACE),
    ("list", "", "secrets", "", NAMESPACE),
    ("get", "", "secrets", "any", ELSEWHERE),
    ("*", "*", "*", "", NAMESPACE),
    ("create", "", "pods", "", NAMESPACE),
    ("create", "", "pods/exec", "", NAMESPACE),
    ("create", "rbac.authorization.k8s.io", "rolebindings", "", NAMESPACE),
    ("create", "", "serviceaccounts/token", "shrewd", NAMESPACE),
    ("update", "shrewd.dev", "indexers", "one", NAMESPACE),
    ("delete", "", "persistentvolumeclaims", "any", NAMESPACE),
    ("get", "coordination.k8s.io", "leases", "another", NAMESPACE),
    ("update", "coordination.k8s.io", "leases", "another", NAMESPACE),
    ("delete", "coordination.k8s.io", "leases", "shrewd", NAMESPACE),
    ("update", "coordination.k8s.io", "leases", "shrewd", ELSEWHERE),
];

/// What one who watches some namespaces may not do in others.
const REFUSED_ELSEWHERE: [Wish; 5] = [
    ("patch", "", "pods/resize", "any", ELSEWHERE),
    ("list", "", "pods", "", ELSEWHERE),
    ("list", "shrewd.dev", "indexers", "", ELSEWHERE),
    ("patch", "apps", "statefulsets", "any", ELSEWHERE),
    ("create", "", "pods/eviction", "any", ELSEWHERE),
];

/// The rights among what the chart renders with these values.
fn rendered(values: &[&str]) -> Vec<Value> {
    let charts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/shrewd");
    let output = Command::new("helm")
        .args(["template", "shrewd"])
        .arg(&charts)
        .args(["--namespace", NAMESPACE, "--kube-version", "1.34.0", "--values"])
        .arg(charts.join("values-ha.yaml"))
        .args(values)
        .output()
        .expect("run helm: `tests/kind/tools` puts it into the cache");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&text);
    documents
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .filter(|object: &Value| object["apiVersion"] == "rbac.authorization.k8s.io/v1")
        .collect()
}

async fn create(client: &Client, object: &Value) {
    let types: TypeMeta = serde_json::from_value(object.clone()).unwrap();
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(types).unwrap());
    let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let object = serde_json::from_value(object.clone()).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
}

async fn may(client: &Client, (verb, group, resource, name, namespace): Wish) -> bool {
    let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
    let review = json!({"metadata": {}, "spec": {"user": ACCOUNT, "resourceAttributes": {
        "verb": verb, "group": group, "resource": resource, "subresource": part, "name": name, "namespace": namespace,
    }}});
    let review: SubjectAccessReview = serde_json::from_value(review).unwrap();
    let answer = Api::all(client.clone()).create(&PostParams::default(), &review).await;
    answer.unwrap().status.unwrap().allowed
}

/// Two operators with the rights that the chart gives for these values: one leads and works, and what is refused is.
async fn works(values: &[&str], flags: &[&str], refused: &[Wish]) {
    let server = ApiServer::start(&["admin", ACCOUNT]).await;
    let client = server.client("admin").await;
    assert!(
        !may(&client, ("list", "shrewd.dev", "indexers", "", NAMESPACE)).await,
        "before"
    );
    let rights = rendered(values);
    assert_eq!(
        rights.len(),
        4,
        "a role and its binding for the work, and for the Lease"
    );
    for right in &rights {
        create(&client, right).await;
    }
    // The API server hears of its own roles by a watch.
    within("the rights are in force", LONG, async || {
        let wish = ("list", "shrewd.dev", "indexers", "", NAMESPACE);
        may(&client, wish).await.then_some(())
    })
    .await;
    let indexers: Api<Indexer> = Api::namespaced(client.clone(), NAMESPACE);
    indexers.create(&PostParams::default(), &indexer("one")).await.unwrap();
    let operators = ["a", "b"].map(|name| Operator::start_as(ACCOUNT, name, &server, server.port, flags));
    within("the status is written", LONG, async || {
        let status = indexers.get("one").await.unwrap().status?;
        (status.observed_generation > 0).then_some(())
    })
    .await;
    within("one leads, the other stands by", LONG, async || {
        let (first, second) = (operators[0].says().await?, operators[1].says().await?);
        (first.0 && second.0 && first.1 != second.1).then_some(())
    })
    .await;
    let made = server
        .writes()
        .into_iter()
        .filter(|write| write.user == ACCOUNT && write.code == 201);
    let made: Vec<String> = made.map(|write| write.resource).collect();
    for resource in [
        "leases",
        "serviceaccounts",
        "configmaps",
        "services",
        "statefulsets",
        "poddisruptionbudgets",
    ] {
        assert!(made.iter().any(|made| made == resource), "{resource}: {made:?}");
    }
    assert!(
        may(&client, ("patch", "", "pods/resize", "any", NAMESPACE)).await,
        "no pod of this test is resized"
    );
    for operator in &operators {
        assert!(!operator.log().contains("forbidden"), "{}", operator.log());
    }
    for wish in refused {
        assert!(!may(&client, *wish).await, "it may {wish:?}");
    }
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane and helm"]
async fn with_the_rights_for_all_namespaces_operators_work_and_may_no_more() {
    works(&[], &[], &REFUSED).await;
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane and helm"]
async fn with_the_rights_for_one_namespace_operators_work_and_may_nothing_elsewhere() {
    let refused = [&REFUSED[..], &REFUSED_ELSEWHERE[..]].concat();
    let watched = format!("watchNamespaces={{{NAMESPACE}}}");
    works(&["--set", &watched], &["--namespaces", NAMESPACE], &refused).await;
}
