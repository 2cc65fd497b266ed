//! `report`: what is in its folder, and what is not.

use std::fs;

use kubectl_shrewd::commands::report;
use serde_json::{Value, json};

use crate::{
    ONE, POD, PODS, items, pod,
    server::{Answer, refusal, server},
    stage,
};

/// Every file of a report.
const FILES: [&str; 8] = [
    "indexer.yaml",
    "statefulsets.yaml",
    "pods.yaml",
    "claims.yaml",
    "status.txt",
    "why.txt",
    "missing.txt",
    "logs/outpoints-7c1d9a0b2e-0.log",
];
/// The end of a log with a secret in each line.
const LOG: &str = "GET http://user:hunter2@node/?token=hunter2
rpcpassword = hunter2
{\"timestamp\":\"t\",\"fields\":{\"authorization\":\"Bearer hunter2\"}}
";

/// An Indexer with a secret wherever it can have one.
fn indexer() -> Value {
    let mut indexer = stage("following");
    indexer["spec"]["chain"]["source"]["bitcoind"]["urls"] = json!(["http://user:hunter2@node:8332"]);
    indexer["spec"]["module"] = json!({
        "sha256": indexer["spec"]["module"]["sha256"],
        "http": { "url": "https://acct.blob.core.windows.net/c/m.wasm?sv=2022-11-02&sp=r&sig=hunter2%3D" },
    });
    // So long that the screen has the token on another line than its name.
    let words = "x ".repeat(41) + "request with Authorization: Bearer hunter2 failed";
    indexer["status"]["conditions"][0]["status"] = json!("False");
    indexer["status"]["conditions"][0]["reason"] = json!("Halted");
    indexer["status"]["conditions"][0]["message"] = json!(words);
    indexer
}

#[tokio::test]
async fn a_report_has_no_secrets_and_says_what_it_lacks() {
    let log = format!("{PODS}/{POD}/log");
    let (cluster, _) = server(move |call, _| match call {
        ONE => Answer::ok(&indexer()),
        PODS => {
            let mut pod = pod(true);
            pod["spec"]["containers"][0]["args"] = json!(["--password", "hunter2", "--token=hunter2"]);
            items(&[pod])
        }
        call if call == log => Answer::text(200, LOG),
        call if call.ends_with("/events") => refusal(403),
        call if call.ends_with("/persistentvolumeclaims") => {
            let status = json!({ "kind": "Status", "code": 500, "message": "\u{1b}[2J at http://u:hunter2@etcd" });
            Answer::text(500, &status.to_string())
        }
        _ => items(&[]),
    });
    let folder = tempfile::tempdir().unwrap();
    let said = report::report(&cluster, "outpoints", folder.path()).await.unwrap();
    assert!(
        said.contains("events.yaml: you may not list events in namespace default"),
        "{said}"
    );
    let report = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let read = |file: &str| fs::read_to_string(report.join(file)).expect(file);
    for file in FILES.iter().filter(|file| **file != "claims.yaml") {
        let text = read(file);
        assert!(!text.contains("hunter2"), "{file}: {text}");
    }
    let shown = [
        ("pods.yaml", "value: '[removed]'"),
        ("indexer.yaml", "c/m.wasm?[removed]"),
        ("indexer.yaml", "name: bitcoind-rpc"),
        ("why.txt", "[removed] failed"),
        (
            "missing.txt",
            "claims.yaml: the API server refused it: \\u{1b}[2J at http://[removed]@etcd",
        ),
        ("logs/outpoints-7c1d9a0b2e-0.log", "rpcpassword = [removed]\n"),
    ];
    for (file, words) in shown {
        assert!(read(file).contains(words), "{file}: {}", read(file));
    }
}
