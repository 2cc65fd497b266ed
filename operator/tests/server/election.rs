//! Two operators, processes as in a cluster, and one API server that notes every write: who leads, for how long nobody
//! does, and that nothing is written by the one that lost.

use std::time::{Duration, Instant};

use crds::Indexer;
use k8s_openapi::{api::coordination::v1::Lease, jiff::Timestamp};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::{
    api_server::{ApiServer, NAMESPACE},
    audit::Write,
    indexer,
    process::{LEASE, Operator},
    proxy::Proxy,
    within,
};

/// What the product promises.
const TAKEN_OVER: Duration = Duration::from_secs(20);
const HANDED_OVER: Duration = Duration::from_secs(2);
/// For what has no promise.
const LONG: Duration = Duration::from_secs(60);
/// So many Indexers are made and changed all the time, one every [`CHANGE_EVERY`], so that whoever leads is writing when
/// it is stopped. Each rests for long enough between two changes that passes over it get done.
const INDEXERS: usize = 12;
const CHANGE_EVERY: Duration = Duration::from_millis(100);

/// A server, two operators that reach it through a proxy each, and Indexers that change all the time.
struct Scene {
    server: ApiServer,
    operators: Vec<(Operator, Proxy)>,
    indexers: Api<Indexer>,
    leases: Api<Lease>,
    changes: JoinHandle<()>,
}

impl Scene {
    /// With a Lease that was released before, or with none, as when operators are installed for the first time.
    async fn start(is_released: bool) -> Self {
        let server = ApiServer::start(&["admin", "a", "b"]).await;
        let client = server.client("admin").await;
        let indexers: Api<Indexer> = Api::namespaced(client.clone(), NAMESPACE);
        for name in names() {
            indexers.create(&PostParams::default(), &indexer(&name)).await.unwrap();
        }
        let leases: Api<Lease> = Api::namespaced(client, NAMESPACE);
        if is_released {
            let lease = serde_json::from_value(json!({"metadata": {"name": LEASE}})).unwrap();
            leases.create(&PostParams::default(), &lease).await.unwrap();
        }
        let mut operators = Vec::new();
        for name in ["a", "b"] {
            let proxy = Proxy::start(server.port).await;
            operators.push((Operator::start(name, &server, proxy.port), proxy));
        }
        Self {
            server,
            operators,
            changes: tokio::spawn(change(indexers.clone())),
            indexers,
            leases,
        }
    }

    /// Waits until one leads and the other stands by, both ready. Returns them in this order.
    async fn led(&mut self) -> ((Operator, Proxy), (Operator, Proxy)) {
        let is_led = async || {
            let (first, second) = (self.operators[0].0.says().await?, self.operators[1].0.says().await?);
            assert!(!(first.1 && second.1), "both lead");
            (first.0 && second.0 && first.1 != second.1).then_some(first.1)
        };
        let (is_first, _) = within("one leads, the other stands by", LONG, is_led).await;
        let (b, a) = (self.operators.pop().unwrap(), self.operators.pop().unwrap());
        let (leader, other) = if is_first { (a, b) } else { (b, a) };
        self.worked(&leader.0, Timestamp::UNIX_EPOCH, LONG).await;
        (leader, other)
    }

    /// Waits until an operator wrote something that was received after this moment, other than the Lease.
    async fn worked(&self, operator: &Operator, after: Timestamp, limit: Duration) -> Duration {
        let what = format!("{} works", operator.name);
        let (_, took) = within(&what, limit, async || {
            let writes = self.server.writes();
            let mut done = writes.iter().filter(|w| w.user == operator.name && w.is_work());
            done.any(|write| write.received > after && write.code < 300)
                .then_some(())
        })
        .await;
        took
    }

    /// Waits until each status is that of a spec that was written after this call.
    async fn follows(&self) {
        for name in names() {
            let get = async || self.indexers.get(&name).await.unwrap();
            let generation = get().await.metadata.generation.unwrap();
            within("the status follows the spec", LONG, async || {
                let status = get().await.status?;
                (status.observed_generation > generation).then_some(())
            })
            .await;
        }
    }

    async fn holder(&self) -> Option<String> {
        let lease = self.leases.get_opt(LEASE).await.unwrap()?;
        lease.spec?.holder_identity
    }

    async fn held_by(&self, operator: &Operator, limit: Duration) -> Duration {
        let what = format!("{} holds the Lease", operator.name);
        let prefix = format!("{}_", operator.name);
        let (_, took) = within(&what, limit, async || {
            self.holder().await.filter(|holder| holder.starts_with(&prefix))
        })
        .await;
        took
    }

    /// What these two did beside renewing the Lease: the first one's writes were all answered, or given up, before the
    /// first of the second one was received; and every object was made once.
    fn assert_in_turn(&self, first: &Operator, second: &Operator) {
        let writes = self.server.writes();
        let of = |user: &str| -> Vec<&Write> { writes.iter().filter(|w| w.is_work() && w.user == user).collect() };
        let (before, after) = (of(&first.name), of(&second.name));
        assert!(!before.is_empty() && !after.is_empty());
        println!(
            "{} writes of {}, then {} of {}",
            before.len(),
            first.name,
            after.len(),
            second.name
        );
        let begins = after.iter().map(|write| write.received).min().unwrap();
        let late: Vec<&&Write> = before.iter().filter(|write| write.answered >= begins).collect();
        assert!(late.is_empty(), "written after {begins}: {late:#?}");
        self.assert_made_once();
    }

    /// No object of any Indexer was made twice.
    fn assert_made_once(&self) {
        let writes = self.server.writes();
        let mut made: Vec<(&str, &str)> = writes
            .iter()
            .filter(|write| write.is_work() && write.code == 201 && !write.resource.starts_with("events"))
            .filter(|write| write.user != "admin" && !write.user.starts_with("system:"))
            .map(|write| (write.resource.as_str(), write.name.as_str()))
            .collect();
        assert!(made.len() >= 5 * INDEXERS, "{made:?}");
        let all = made.len();
        made.sort_unstable();
        made.dedup();
        assert_eq!(made.len(), all, "an object was made twice");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.changes.abort();
    }
}

/// Changes the spec for as long as the test runs.
async fn change(indexers: Api<Indexer>) {
    for size in (100..200).cycle() {
        let patch = json!({"spec": {"memory": {"threshold": format!("{size}Mi")}}});
        for name in names() {
            // A busy server: the next change comes soon.
            let _ = indexers
                .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
                .await;
            tokio::time::sleep(CHANGE_EVERY).await;
        }
    }
}

fn names() -> impl Iterator<Item = String> {
    (0..INDEXERS).map(|number| format!("index-{number}"))
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn of_two_that_start_at_once_one_leads_and_hands_over_when_told_to_stop() {
    let mut scene = Scene::start(false).await;
    let ((mut leader, _p), (other, _q)) = scene.led().await;
    scene.follows().await;
    let idle: Vec<Write> = scene.server.writes();
    assert!(
        idle.iter()
            .all(|write| write.user != other.name || write.resource == "leases")
    );

    let told = Timestamp::now();
    leader.signal(Signal::TERM);
    let took = scene.held_by(&other, LONG).await;
    let worked = scene.worked(&other, told, LONG).await;
    let (status, _) = leader.end_within(LONG).await;
    assert!(status.success(), "{status}");
    println!("handed over after {took:?}, first write {worked:?} later");
    assert!(took <= HANDED_OVER, "{took:?}");
    scene.follows().await;
    scene.assert_in_turn(&leader, &other);
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn a_leader_that_is_killed_is_replaced() {
    let mut scene = Scene::start(true).await;
    let ((mut leader, _p), (other, _q)) = scene.led().await;
    let killed = Timestamp::now();
    leader.signal(Signal::KILL);
    leader.end_within(LONG).await;
    let took = scene.worked(&other, killed, TAKEN_OVER).await;
    println!("taken over after {took:?}");
    scene.follows().await;
    scene.assert_in_turn(&leader, &other);
    // The container is started anew, under the same name.
    let again = Operator::start(&leader.name, &scene.server, scene.server.port);
    let stands_by = async || again.says().await.filter(|says| *says == (true, false));
    within("it stands by", LONG, stands_by).await;
    assert_eq!(other.says().await, Some((true, true)));
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn a_leader_that_is_cut_off_ends_before_the_next_one_begins() {
    let mut scene = Scene::start(true).await;
    let ((mut leader, proxy), (other, _q)) = scene.led().await;
    let (cut, cut_at) = (Timestamp::now(), Instant::now());
    proxy.cut();
    let (status, ended) = leader.end_within(Duration::from_secs(10)).await;
    assert!(!status.success(), "it lost what it held");
    assert!(
        scene.holder().await.unwrap().starts_with(&leader.name),
        "nobody leads yet"
    );
    scene.worked(&other, cut, TAKEN_OVER - ended).await;
    println!(
        "ended {ended:?} after the cut, taken over {:?} after it",
        cut_at.elapsed()
    );
    // Cut off for a minute in all: whatever was still under way does not arrive.
    tokio::time::sleep(Duration::from_secs(60).saturating_sub(cut_at.elapsed())).await;
    proxy.heal();
    scene.follows().await;
    scene.assert_in_turn(&leader, &other);
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn a_leader_that_was_frozen_writes_nothing_when_it_wakes() {
    let mut scene = Scene::start(true).await;
    let ((mut leader, _p), (other, _q)) = scene.led().await;
    let frozen = Timestamp::now();
    leader.signal(Signal::STOP);
    scene.worked(&other, frozen, TAKEN_OVER).await;
    let woken = Timestamp::now();
    leader.signal(Signal::CONT);
    let (status, _) = leader.end_within(LONG).await;
    assert!(!status.success());
    scene.follows().await;
    let late = scene.server.writes().into_iter();
    let late: Vec<Write> = late
        .filter(|w| w.user == leader.name && w.received >= woken && w.is_work())
        .collect();
    assert_eq!(late, []);
    assert_eq!(other.says().await, Some((true, true)));
}

#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn a_lease_that_is_deleted_changes_no_hands_and_one_that_is_given_away_does() {
    let mut scene = Scene::start(true).await;
    let ((mut leader, _p), (other, _q)) = scene.led().await;
    let held = scene.holder().await.unwrap();
    scene.leases.delete(LEASE, &DeleteParams::default()).await.unwrap();
    let (back, took) = within("the Lease is back", LONG, async || scene.holder().await).await;
    println!("recreated after {took:?}");
    assert_eq!(back, held);
    assert_eq!(
        (leader.says().await, other.says().await),
        (Some((true, true)), Some((true, false)))
    );
    // A label is no reason to stop.
    let label = json!({"metadata": {"labels": {"by": "hand"}}});
    let params = PatchParams::default();
    scene.leases.patch(LEASE, &params, &Patch::Merge(&label)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(leader.says().await, Some((true, true)));

    let given = json!({"spec": {"holderIdentity": "somebody"}});
    scene.leases.patch(LEASE, &params, &Patch::Merge(&given)).await.unwrap();
    let (status, took) = leader.end_within(LONG).await;
    assert!(!status.success() && took < Duration::from_secs(5), "{status} {took:?}");
    // Somebody does not renew it.
    scene.held_by(&other, TAKEN_OVER).await;
    scene.follows().await;
    scene.assert_in_turn(&leader, &other);
}

/// What the leader had sent is in the server's buffers meanwhile, so it may be carried out afterwards. That is what
/// preconditions are for, and every object is made once all the same.
#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn an_api_server_that_is_silent_for_a_while_has_one_leader_afterwards() {
    let mut scene = Scene::start(true).await;
    let ((mut leader, proxy), (other, _q)) = scene.led().await;
    scene.server.signal(Signal::STOP);
    let (status, _) = leader.end_within(Duration::from_secs(10)).await;
    assert!(!status.success());
    let again = Operator::start(&leader.name, &scene.server, proxy.port);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(
        other.says().await,
        Some((true, false)),
        "it cannot take what it cannot read"
    );
    assert_eq!(
        again.says().await,
        Some((false, false)),
        "it has not read the Lease yet"
    );
    scene.server.signal(Signal::CONT);
    let back = Timestamp::now();
    let (other_leads, took) = within("one leads", LONG, async || {
        let (first, second) = (other.says().await?.1, again.says().await?.1);
        assert!(!(first && second), "both lead");
        (first || second).then_some(first)
    })
    .await;
    assert!(took < TAKEN_OVER, "{took:?}");
    scene.follows().await;
    let late = scene
        .server
        .writes()
        .into_iter()
        .filter(|write| write.user == leader.name);
    let late = late.filter(|write| write.is_work() && write.received >= back).count();
    println!(
        "one leads {took:?} after the server was back, {late} writes of {} after it",
        leader.name
    );
    // A renewal that was carried out late has both wait equally long.
    let waits = if other_leads { &again } else { &other };
    assert_eq!(waits.says().await, Some((true, false)));
    scene.assert_made_once();
}

/// Whatever it writes, the server noted; and while nothing changes, nothing is written.
#[tokio::test]
#[ignore = "needs tests/kind/control-plane"]
async fn the_metrics_count_every_write_and_there_is_none_at_rest() {
    let mut scene = Scene::start(true).await;
    let ((leader, _p), (other, _q)) = scene.led().await;
    scene.follows().await;
    scene.changes.abort();
    let noted = || {
        let writes = scene.server.writes().into_iter();
        writes
            .filter(|write| write.user == leader.name && write.is_work())
            .count()
    };
    let rests = async || {
        let before = noted();
        tokio::time::sleep(Duration::from_secs(5)).await;
        (noted() == before).then_some(before)
    };
    let (writes, _) = within("it rests", LONG, rests).await;
    let counted: f64 = leader.values("api_writes_total").await.iter().sum();
    println!("{writes} writes");
    assert!(
        writes > 10 && counted == writes as f64,
        "{counted} counted, {writes} noted"
    );
    assert!(other.values("api_writes_total").await.is_empty());
    assert_eq!(leader.values("queued_indexers").await, [0.0]);
    assert_eq!(leader.values("queue_age_seconds").await, [0.0]);
    assert!(leader.values("queue_seconds_count").await[0] > 1.0);
}
