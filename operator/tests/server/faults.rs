//! Every call of every pass fails once, in every way in which it can: whatever it was, the same objects come of it.
//!
//! The life of an Indexer is run once without a fault, which gives the list of calls, watches and lists included, and the
//! objects that come of it. Then it is run once for each call and each way to fail, in a namespace of its own. The operator
//! is the library's, one scope of it, with no pauses after what failed; killed means that it is dropped in the middle of a
//! call, with everything it knew, and another one begins.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crds::conditions::reasons;
use futures::{StreamExt, stream};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Api, Client, api::PostParams, runtime::events::Reporter};
use operator::{
    admin::Readiness,
    installation,
    metrics::Metrics,
    pod_client::PodClient,
    pod_defaults::PodDefaults,
    reconcile::Pauses,
    run::{Shared, run_scope},
    validate::Defaults,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

mod outcome;
mod scenario;

use crate::support::{
    api_server::ApiServer,
    faulty::{Call, Faults, Kind},
    stand_in,
};
use outcome::{difference, outcome};
use scenario::Scenario;

const STORAGE_CLASS: &str = "local";
/// Cases that run at the same time.
const AT_ONCE: usize = 16;
/// After the last step, the last writes come.
const CONVERGES: Duration = Duration::from_secs(60);
/// So many passes more than without a fault may be needed: an operator that begins anew makes some for each object that it
/// finds, and one that fails is repeated until a watch has brought what it needs.
const PASSES_MORE_MAX: usize = 60;

/// The share of cases that is run where nothing else is asked for. No multiple of the number of ways, so that each comes.
const EVERY: usize = 13;
/// Which passes see what together is a matter of milliseconds, so the last of several equal calls comes in one run and not
/// in another. Such a case is run so many times until it comes.
const TRIES: usize = 3;

/// What became of one run.
struct Run {
    calls: Vec<Call>,
    has_struck: bool,
    passes: usize,
    outcome: Vec<String>,
    problem: Option<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/kind/control-plane"]
async fn whichever_call_fails_the_same_objects_come_of_it() {
    let server = ApiServer::start(&["admin", "operator", "stand-in"]).await;
    let admin = server.client("admin").await;
    let class: StorageClass = serde_json::from_value(json!({
        "metadata": {"name": STORAGE_CLASS}, "provisioner": "none", "allowVolumeExpansion": true,
    }))
    .unwrap();
    Api::all(admin.clone())
        .create(&PostParams::default(), &class)
        .await
        .unwrap();
    let plays = tokio::spawn(stand_in::play(server.client("stand-in").await));
    let clients = (admin, server.client("operator").await);

    let whole = run(&clients, "whole", None, None).await;
    assert_eq!(whole.problem, None);
    assert_is_whole(&whole);
    let cases: Vec<(Call, Kind)> = chosen(&whole.calls);
    println!(
        "{} calls, {} of them writes, {} cases, {} passes without a fault",
        whole.calls.len(),
        whole.calls.iter().filter(|call| call.is_write()).count(),
        cases.len(),
        whole.passes
    );
    let (started, done, all) = (Instant::now(), Arc::new(AtomicUsize::new(0)), cases.len());
    let runs: Vec<(Call, Kind, Run)> = stream::iter(cases.into_iter().enumerate())
        .map(|(number, (call, kind))| {
            let (clients, whole, done) = (&clients, &whole, Arc::clone(&done));
            async move {
                let mut run = case(clients, &format!("case-{number}"), (&call, kind), whole).await;
                for again in 1..TRIES {
                    if run.has_struck || run.problem.is_some() {
                        break;
                    }
                    run = case(clients, &format!("case-{number}-{again}"), (&call, kind), whole).await;
                }
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                if run.problem.is_some() || done % 50 == 0 {
                    println!(
                        "{done} of {all} after {:?}: {kind:?} of {call}: {:?}",
                        started.elapsed(),
                        run.problem
                    );
                }
                (call, kind, run)
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    plays.abort();
    report(&runs, &whole);
}

/// Every kind of write that an operator makes is among the calls, and every kind of object came of them.
fn assert_is_whole(whole: &Run) {
    let calls: Vec<String> = whole.calls.iter().map(ToString::to_string).collect();
    let applied = [
        "serviceaccounts",
        "configmaps",
        "services",
        "networkpolicies",
        "poddisruptionbudgets",
        "statefulsets",
    ];
    let applied = applied.map(|kind| format!("PATCH /{kind}/"));
    let others = [
        "DELETE /configmaps/",
        "DELETE /statefulsets/",
        "PATCH /persistentvolumeclaims/",
        "POST /eviction",
        "PATCH /indexers/one/status",
        "POST /events",
    ];
    for wanted in applied.iter().map(String::as_str).chain(others) {
        let (method, part) = wanted.split_once(' ').unwrap();
        let is_there = calls.iter().any(|call| call.starts_with(method) && call.contains(part));
        assert!(is_there, "{wanted} is not among {calls:#?}");
    }
    for kind in [
        "Indexer",
        "StatefulSet",
        "ConfigMap",
        "PersistentVolumeClaim",
        "Pod",
        "Service",
        "NetworkPolicy",
    ] {
        assert!(whole.outcome.iter().any(|text| text.starts_with(kind)), "{kind}");
    }
}

/// Prints what it took, and refuses what is not as it should be.
fn report(runs: &[(Call, Kind, Run)], whole: &Run) {
    let mut by_kind: BTreeMap<Kind, (usize, usize)> = BTreeMap::new();
    for (_, kind, run) in runs {
        let (count, most) = by_kind.entry(*kind).or_default();
        *count += 1;
        *most = (*most).max(run.passes);
    }
    println!("kind: cases, most passes (without a fault: {})", whole.passes);
    for (kind, (count, most)) in by_kind {
        println!("{kind:?}: {count}, {most}");
    }
    let missed: Vec<String> = runs
        .iter()
        .filter(|(.., run)| !run.has_struck)
        .map(|(call, kind, _)| format!("{kind:?} of {call}"))
        .collect();
    println!("{} calls did not come in {TRIES} runs: {missed:#?}", missed.len());
    let problems: Vec<String> = runs
        .iter()
        .filter_map(|(call, kind, run)| Some(format!("{kind:?} of {call}: {}", run.problem.as_ref()?)))
        .collect();
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.join("\n")
    );
    assert!(missed.len() * 20 <= runs.len(), "{} of {}", missed.len(), runs.len());
    let most = runs.iter().map(|(.., run)| run.passes).max().unwrap_or_default();
    assert!(most <= whole.passes + PASSES_MORE_MAX, "{most} passes");
}

/// One run in which this call fails in this way.
async fn case(clients: &(Client, Client), namespace: &str, (call, kind): (&Call, Kind), whole: &Run) -> Run {
    run(clients, namespace, Some((call.clone(), kind)), Some(&whole.outcome)).await
}

/// Every call in every way with `SHREWD_SOAK=1`, some 700 cases; otherwise, or to look at fewer, one of
/// `SHREWD_FAULTS_EVERY`.
fn chosen(calls: &[Call]) -> Vec<(Call, Kind)> {
    let given = std::env::var("SHREWD_FAULTS_EVERY")
        .ok()
        .and_then(|text| text.parse().ok());
    let is_soak = std::env::var("SHREWD_SOAK").is_ok_and(|text| text == "1");
    let all = calls
        .iter()
        .flat_map(|call| Kind::of(call).iter().map(|kind| (call.clone(), *kind)));
    all.step_by(given.unwrap_or(if is_soak { 1 } else { EVERY }).max(1))
        .collect()
}

/// Runs the scenario in a namespace, and waits for what is expected.
async fn run(
    (admin, operator): &(Client, Client),
    namespace: &str,
    fault: Option<(Call, Kind)>,
    expected: Option<&[String]>,
) -> Run {
    let scenario = Scenario::begin(admin, namespace).await;
    let faults = Faults::new(namespace, fault);
    let metrics = Metrics::new().unwrap();
    let works = tokio::spawn(operate(
        faults.clone(),
        operator.clone(),
        namespace.to_owned(),
        metrics.clone(),
    ));
    let mut problem = scenario.run().await.err();
    let found = match (expected, &problem) {
        (Some(expected), None) => match converged(admin, namespace, expected).await {
            Ok(found) => found,
            Err(words) => {
                problem = Some(words);
                Vec::new()
            }
        },
        _ => settled(admin, namespace).await,
    };
    works.abort();
    scenario.end().await;
    Run {
        calls: faults.calls(),
        has_struck: faults.have_struck(),
        passes: passes(&metrics),
        outcome: found,
        problem,
    }
}

/// Waits for objects like these.
async fn converged(client: &Client, namespace: &str, expected: &[String]) -> Result<Vec<String>, String> {
    let start = Instant::now();
    loop {
        let found = outcome(client, namespace).await.unwrap_or_default();
        if found == expected {
            return Ok(found);
        }
        if start.elapsed() > CONVERGES {
            return Err(format!("other objects came of it:\n{}", difference(expected, &found)));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Waits until nothing changes for a while, and nothing says that it is about to.
async fn settled(client: &Client, namespace: &str) -> Vec<String> {
    let mut last = outcome(client, namespace).await.unwrap_or_default();
    let (start, mut since) = (Instant::now(), Instant::now());
    let is_moving = |texts: &[String]| texts.iter().any(|text| text.contains(reasons::ROLLING));
    while since.elapsed() < Duration::from_secs(3) || is_moving(&last) {
        assert!(start.elapsed() < CONVERGES, "it does not come to rest: {last:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = outcome(client, namespace).await.unwrap_or_default();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

/// An operator for one namespace, and another one when it is killed.
async fn operate(faults: Faults, through: Client, namespace: String, metrics: Metrics) {
    loop {
        let scope = run_scope(
            Some(namespace.clone()),
            shared(faults.client(through.clone()), metrics.clone()),
        );
        tokio::select! {
            () = scope => return,
            () = faults.killed() => {}
        }
    }
}

fn shared(client: Client, metrics: Metrics) -> Shared {
    let peer = json!({"podSelector": {}});
    let defaults = Defaults {
        image: "shrewd-indexer:test".into(),
        plain_http_registries: Vec::new(),
        access: Some(json!({"operator": peer, "metrics": []}).to_string().parse().unwrap()),
        pods: PodDefaults::default(),
    };
    let soon = Duration::from_millis(10);
    Shared {
        client,
        pods: PodClient::new().unwrap(),
        reporter: Reporter::from("shrewd-operator"),
        metrics,
        readiness: Readiness::new(1),
        operator: installation::operator("ns/this".into(), None, &defaults),
        defaults,
        pauses: Pauses {
            failed: (soon, soon),
            stale: soon,
            raise: soon,
        },
        concurrency: 8,
        max_rollouts: 1,
        stop: CancellationToken::new(),
    }
}

/// All passes, also those that were given up.
fn passes(metrics: &Metrics) -> usize {
    let text = String::from_utf8(metrics.text().unwrap()).unwrap();
    let lines = text.lines().filter(|line| {
        line.starts_with("shrewd_operator_reconciles_total{") || line.starts_with("shrewd_operator_looks_again_total ")
    });
    let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
    counts.sum()
}
