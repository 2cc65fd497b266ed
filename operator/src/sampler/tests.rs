use crds::MAX_BEHIND;

use super::*;
use crate::fixtures::{following, target};

fn answer(height: u32) -> Sample {
    Sample::Answer(Box::new(following(height)))
}

#[tokio::test]
async fn numbers_wake_once_per_interval_and_rest_never() {
    let (wake, _woken) = mpsc::channel(1);
    let sampler = Sampler::new(PodClient::new().unwrap(), wake, Metrics::new().unwrap());
    let key = Key {
        namespace: "ns".into(),
        name: "one".into(),
    };
    let start = Instant::now();
    let pods = HashMap::from([(target("one-0"), Polled::new(answer(100), start))]);
    sampler.groups().insert(
        key.clone(),
        Group {
            pods,
            shown_at: start,
            woken_at: None,
            max_behind: MAX_BEHIND,
        },
    );
    let at = |seconds| start + Duration::from_secs(seconds);
    assert!(!sampler.note(&key, &target("one-0"), Ok(answer(100)), at(600)));
    assert!(!sampler.note(&key, &target("one-0"), Ok(answer(101)), at(29)));
    assert!(sampler.note(&key, &target("one-0"), Ok(answer(101)), at(30)));
    let soon = at(30) + Duration::from_millis(20);
    assert!(
        !sampler.note(&key, &target("one-0"), Ok(answer(102)), soon),
        "the pass is about to look"
    );
    assert!(
        sampler.note(&key, &target("one-0"), Ok(answer(111)), at(40)),
        "it did not come"
    );
    assert!(
        !sampler.note(&key, &target("another"), Ok(answer(9)), at(60)),
        "nobody asked for this pod"
    );
}

#[tokio::test]
async fn a_pod_that_does_not_answer_is_silent_from_the_start() {
    let (wake, _woken) = mpsc::channel(1);
    let sampler = Sampler::new(PodClient::new().unwrap(), wake, Metrics::new().unwrap());
    let key = Key {
        namespace: "ns".into(),
        name: "one".into(),
    };
    let found = sampler.observe(&key, &[target("one-0")], MAX_BEHIND).await;
    assert_eq!(found[&target("one-0")], Sample::Silent("no connection".into()));
    assert!(sampler.observe(&key, &[], MAX_BEHIND).await.is_empty());
    assert!(sampler.groups().is_empty(), "an Indexer without pods is not remembered");
}

#[tokio::test]
async fn the_dead_wait_for_each_other_and_nobody_waits_for_them() {
    let (wake, _woken) = mpsc::channel(1);
    let sampler = Sampler::new(PodClient::new().unwrap(), wake, Metrics::new().unwrap());
    let key = |name: &str| Key {
        namespace: "ns".into(),
        name: name.into(),
    };
    let start = Instant::now();
    let group = |pods: Vec<(Target, Polled)>| Group {
        pods: pods.into_iter().collect(),
        shown_at: start,
        woken_at: None,
        max_behind: MAX_BEHIND,
    };
    let dead = (0..100).map(|i| {
        let silent = Sample::Silent("no answer in time".into());
        (target(&format!("dead-{i}")), Polled::new(silent, start))
    });
    sampler.groups().insert(key("dead"), group(dead.collect()));
    let living = vec![(target("living-0"), Polled::new(answer(100), start))];
    sampler.groups().insert(key("living"), group(living));
    let at = |seconds| start + Duration::from_secs(seconds);
    let taken = |answering, silent, now| {
        let due = sampler.take_due(Room { answering, silent }, now);
        let (dead, living): (Vec<_>, Vec<_>) = due.into_iter().partition(|due| due.is_silent);
        (dead.len(), living.len())
    };
    assert_eq!(taken(64, 32, at(5)), (32, 1), "the dead fill their own places only");
    assert_eq!(taken(64, 0, at(6)), (0, 0), "what is on its way is not sent again");
    assert_eq!(taken(64, 32, at(7)), (32, 0), "those that have waited go next");
    sampler.note(&key("living"), &target("living-0"), Ok(answer(101)), at(7));
    assert_eq!(
        taken(64, 0, at(12)),
        (0, 1),
        "with every place of the dead taken, the living is asked"
    );
    assert_eq!(taken(64, 64, at(16)), (64, 0), "a request that was lost is sent again");
}

#[tokio::test]
async fn pods_of_all_scopes_are_counted_together() {
    let metrics = Metrics::new().unwrap();
    let (wake, _woken) = mpsc::channel(1);
    let sampler = || Sampler::new(PodClient::new().unwrap(), wake.clone(), metrics.clone());
    let (one, two) = (sampler(), sampler());
    let key = crate::fixtures::key();
    let gauge = || {
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix("shrewd_operator_sampled_pods "));
        line.unwrap().to_owned()
    };
    one.observe(&key, &[target("one-0"), target("one-1")], MAX_BEHIND).await;
    two.observe(&key, &[target("two-0")], MAX_BEHIND).await;
    assert_eq!(gauge(), "3");
    one.observe(&key, &[target("one-0")], MAX_BEHIND).await;
    assert_eq!(gauge(), "2");
    two.forget(&key);
    assert_eq!(gauge(), "1");
}
