//! An API server with Indexers of two pods each, and operators that come and go.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crds::{Indexer, conditions::types};
use futures::StreamExt as _;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
    runtime::{
        WatchStreamExt as _,
        reflector::{self, Store},
        watcher,
    },
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    controller::Controller,
    reports::{Chain, MODULE},
    support::{
        api_server::{ApiServer, NAMESPACE},
        audit::Write,
        indexer,
        process::Operator,
        within,
    },
};

/// The user of the operator.
const OPERATOR: &str = "operator";
/// Requests of ours under way.
const CONCURRENT: usize = 16;
/// As the chart has it, with one namespace that reads metrics.
const NETWORK_POLICY: &str = r#"{"operator": {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "shrewd"}},
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shrewd-system"}}},
    "metrics": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]}"#;
/// Nothing is written for this long once everything is: longer than the interval at which figures are shown.
const QUIET: Duration = Duration::from_secs(40);
const LONG: Duration = Duration::from_secs(900);

/// See the module.
pub(crate) struct Cluster {
    pub(crate) server: ApiServer,
    pub(crate) controller: Arc<Controller>,
    pub(crate) chain: Arc<Chain>,
    indexers: Api<Indexer>,
    seen: Store<Indexer>,
    /// Ends its pods with it: those of the next cluster have the same addresses.
    _end: DropGuard,
}

impl Cluster {
    /// An empty one.
    pub(crate) async fn start() -> Self {
        let server = ApiServer::start(&["bench", OPERATOR]).await;
        let client = server.client("bench").await;
        let chain = Arc::new(Chain::default());
        let end = CancellationToken::new();
        let controller = Arc::new(Controller::new(client.clone(), Arc::clone(&chain), end.clone()));
        let works = Arc::clone(&controller);
        tokio::spawn(end.clone().run_until_cancelled_owned(async move { works.run().await }));
        let indexers: Api<Indexer> = Api::namespaced(client, NAMESPACE);
        let (seen, writer) = reflector::store();
        let changes = watcher(indexers.clone(), watcher::Config::default()).default_backoff();
        let follows = changes.reflect(writer).for_each(|_| std::future::ready(()));
        tokio::spawn(end.clone().run_until_cancelled_owned(follows));
        Self {
            server,
            controller,
            chain,
            indexers,
            seen,
            _end: end.drop_guard(),
        }
    }

    /// The operator as the chart runs it.
    pub(crate) fn operator(&self) -> Operator {
        let flags = ["--log", "info", "--network-policy", NETWORK_POLICY];
        Operator::start_as(OPERATOR, OPERATOR, &self.server, self.server.port, &flags)
    }

    /// Ends an operator as a kubelet does.
    pub(crate) async fn end(&self, mut operator: Operator) {
        operator.signal(Signal::TERM);
        let (status, _) = operator.end_within(LONG).await;
        assert!(status.success(), "{status}");
    }

    /// Declares Indexers.
    pub(crate) async fn declare(&self, count: usize) {
        futures::stream::iter(0..count)
            .for_each_concurrent(CONCURRENT, async |number| {
                let mut indexer = indexer(&name(number));
                indexer.spec.replicas = 2;
                assert_eq!(indexer.spec.module.sha256, MODULE);
                self.indexers.create(&PostParams::default(), &indexer).await.unwrap();
            })
            .await;
    }

    /// Changes the spec of all Indexers.
    pub(crate) async fn change(&self, count: usize, spec: &Value) {
        let (params, patch) = (PatchParams::default(), Patch::Merge(json!({"spec": spec})));
        futures::stream::iter(0..count)
            .for_each_concurrent(CONCURRENT, async |number| {
                self.indexers.patch(&name(number), &params, &patch).await.unwrap();
            })
            .await;
    }

    /// Waits until each of so many Indexers has a status of its newest spec in which `Ready` is this.
    pub(crate) async fn converged(&self, count: usize, ready: &str) -> Duration {
        let what = format!("all of {count} Indexers have a status of their spec, with Ready={ready}");
        let (_, took) = within(&what, LONG, async || {
            let seen = self.seen.state();
            let done = seen.iter().filter(|indexer| follows(indexer, ready));
            (done.count() == count).then_some(())
        })
        .await;
        took
    }

    /// Waits until nothing is written any more. Says so if that does not come: what is written at rest is to be a figure.
    pub(crate) async fn quiet(&self) {
        let limit = Instant::now() + QUIET * 4;
        let (mut writes, mut since) = (self.work().len(), Instant::now());
        while since.elapsed() < QUIET {
            if Instant::now() > limit {
                return println!("it does not come to rest within {:?}", QUIET * 4);
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
            let now = self.work().len();
            if now != writes {
                (writes, since) = (now, Instant::now());
            }
        }
    }

    /// What the operator wrote so far, renewals of its Lease left out.
    pub(crate) fn work(&self) -> Vec<Write> {
        self.writes(Write::is_work)
    }

    /// The writes of its Lease so far.
    pub(crate) fn renewals(&self) -> usize {
        self.writes(|write| !write.is_work()).len()
    }

    fn writes(&self, is_meant: impl Fn(&Write) -> bool) -> Vec<Write> {
        let writes = self.server.writes().into_iter();
        writes
            .filter(|write| write.user == OPERATOR && is_meant(write))
            .collect()
    }
}

fn name(number: usize) -> String {
    format!("index-{number:04}")
}

fn follows(indexer: &Indexer, ready: &str) -> bool {
    indexer.status.as_ref().is_some_and(|status| {
        let mut conditions = status.conditions.iter();
        Some(status.observed_generation) == indexer.metadata.generation
            && status.replicas == 2
            && conditions.any(|condition| condition.type_ == types::READY && condition.status == ready)
    })
}
