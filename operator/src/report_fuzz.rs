//! Whatever bytes a pod sends as its report, nothing that reads them panics, and the status they lead to is one the API
//! server takes.

use crds::{
    AutoGrow, IndexerStatus, Revision, RolloutStrategy,
    pod::bounds::{COUNT_MAX, HEIGHT_MAX, MEMORY_BYTES_MAX},
};
use k8s_openapi::jiff::Timestamp;
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use crate::{
    facts::{Built, Observed, ObservedPod, Sample, Target, VolumeClaim, change::change, comparable, compare},
    fixtures,
    memory::{Bounds, Memories, Seen, recommend},
    names,
    plan::plan,
    rollout::{Decision, World, decide, next_replacement},
    status::{self, Applied, Inputs},
    storage::{Capacities, Sizes, growths},
    transitions::transitions,
    validate::ValidIndexer,
};

/// A minute of passes on two busy cores is not worth more.
const CASES: u32 = 400;

/// The second pass is in the year 9999, in seconds since 1970: every deadline is over.
const LATER: i64 = 253_370_764_800;

/// What is written over a report: where, and what.
type Edit = (&'static str, Value);

fn heights() -> impl Strategy<Value = Value> {
    select(vec![
        0,
        1,
        99,
        100,
        101,
        HEIGHT_MAX - 1,
        HEIGHT_MAX,
        HEIGHT_MAX + 1,
        u32::MAX,
    ])
    .prop_map(|n| json!(n))
}

fn counts() -> impl Strategy<Value = Value> {
    let counts = select(vec![0, 1, MEMORY_BYTES_MAX, COUNT_MAX, COUNT_MAX + 1, u64::MAX]);
    prop_oneof![4 => counts, 1 => any::<u64>()].prop_map(|n| json!(n))
}

fn texts() -> impl Strategy<Value = Value> {
    let known = select(vec![
        "",
        "Verified",
        "Halted",
        "a b",
        "Following",
        "ModuleNotFound",
        "SeedRefused",
        "\u{0}\n",
    ]);
    prop_oneof![
        known.prop_map(|text| json!(text)),
        (0..2_000_usize).prop_map(|n| json!("ä".repeat(n))),
        select(vec!["ab", "cd", "zz"]).prop_map(|text| json!(text.repeat(32))),
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        ".{0,40}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(2, 16, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(Value::Array)
    })
}

fn check() -> impl Strategy<Value = Value> {
    let ok = select(vec![json!(true), json!(false), Value::Null]);
    (ok, texts(), texts()).prop_map(|(ok, reason, message)| json!({"ok": ok, "reason": reason, "message": message}))
}

fn fault() -> impl Strategy<Value = Value> {
    let class = select(vec!["Guest", "Limit", "Host", "Source", "Reorg", "Nondeterminism"]);
    (class, heights(), texts()).prop_map(|(class, height, message)| {
        json!({"class": class, "height": height, "blockHash": "cd".repeat(32), "runs": 2, "message": message,
               "since": "2026-01-01T00:00:00Z"})
    })
}

fn block() -> impl Strategy<Value = Value> {
    let run = select(vec!["First", "Retry", "Audit"]);
    (run, heights(), counts()).prop_map(|(run, height, seconds)| {
        json!({"height": height, "blockHash": "cd".repeat(32), "run": run, "attempt": u32::MAX, "seconds": seconds,
               "since": "2026-01-01T00:00:00Z"})
    })
}

fn lineage() -> impl Strategy<Value = Value> {
    let step = heights().prop_map(|height| json!({"fromHeight": height, "moduleSha256": "ab".repeat(32)}));
    prop::collection::vec(step, 0..20).prop_map(Value::Array)
}

fn edit() -> impl Strategy<Value = Edit> {
    let numbers = select(vec![
        "/height",
        "/tip",
        "/behind",
        "/memory/guestPeakHeight",
        "/memory/lastCrossingHeight",
    ]);
    let bytes = select(vec![
        "/secondsLeft",
        "/blocksPerSecond",
        "/memory/guestBytes",
        "/memory/guestPeakBytes",
        "/memory/residentBytes",
        "/memory/thresholdBytes",
        "/memory/limitBytes",
        "/volume/capacityBytes",
        "/volume/freeBytes",
        "/snapshots/underway/doneBytes",
        "/snapshots/latest/bytes",
        "/memory/refreshes/block",
        "/memory/refreshes/threshold",
        "/memory/refreshes/failure",
        "/memory/refreshes/manual",
        "/memory/refreshes/unwind",
    ]);
    let words = select(vec![
        "/digest",
        "/blockHash",
        "/moduleSha256",
        "/lastRefreshRequest",
        "/snapshots/lastRequest",
        "/version",
    ]);
    let any_field = select(vec![
        "/phase",
        "/ready",
        "/height",
        "/memory",
        "/module",
        "/halt",
        "/lineage",
        "/snapshots",
        "/revision",
    ]);
    prop_oneof![
        6 => (numbers, heights()),
        6 => (bytes, counts()),
        3 => (words, texts()),
        3 => (select(vec!["/module", "/source", "/seed", "/snapshots/check"]), check()),
        2 => (select(vec!["/halt", "/trouble"]), fault()),
        2 => (Just("/blockUnderWay"), block()),
        2 => (Just("/lineage"), lineage()),
        2 => (Just("/ready"), any::<bool>().prop_map(|b| json!(b))),
        1 => (any_field, anything()),
    ]
}

/// The body of an answer: mostly a report with a few edits, sometimes no report at all.
fn body() -> impl Strategy<Value = Vec<Edit>> {
    prop::collection::vec(edit(), 0..6)
}

fn written(edits: &[Edit], revision: &Revision) -> Vec<u8> {
    let mut report = serde_json::to_value(fixtures::following(100)).unwrap();
    report["revision"] = json!(revision);
    let hash = "ab".repeat(32);
    report["snapshots"] = json!({
        "latest": {"height": 90, "blockHash": hash, "digest": hash, "url": "s3://bucket/90", "manifestSha256": hash,
                   "bytes": 1, "time": "2026-01-01T00:00:00Z"},
        "underway": {"height": 100, "doneBytes": 1, "totalBytes": 2},
        "check": {"ok": true, "reason": "Published", "message": ""},
        "lastRequest": "1",
    });
    for (pointer, value) in edits {
        if let Some(field) = report.pointer_mut(pointer) {
            *field = value.clone();
        }
    }
    serde_json::to_vec(&report).unwrap()
}

fn sample(target: &Target, body: &[u8]) -> Sample {
    target
        .read(body)
        .map_or_else(Sample::Silent, |status| Sample::Answer(Box::new(status)))
}

/// What is declared beside what serves: nothing else, another module on the same data, or one beside it.
fn declared(what: u8) -> ValidIndexer {
    let mut valid = fixtures::valid();
    valid.replicas = 2;
    valid.snapshots = serde_json::from_value(json!({"url": "s3://bucket", "everyBlocks": 10, "keep": 1})).ok();
    valid.auto_grow = Some(AutoGrow {
        max_bytes: u64::MAX,
        free_percent: 15,
        step_percent: 100,
    });
    if what > 0 {
        valid.identity.module_sha256 = "cd".repeat(32);
        valid.revision = valid.identity.revision();
    }
    if what == 1 {
        valid.rollout.strategy = RolloutStrategy::InPlace;
    }
    valid
}

fn pods(valid: &ValidIndexer, bodies: &[Vec<Edit>]) -> Vec<ObservedPod> {
    let serving = fixtures::valid().revision;
    let revisions = [&serving, &serving, &valid.revision];
    let pods = bodies.iter().zip(revisions).enumerate().map(|(i, (edits, revision))| {
        let mut pod = fixtures::observed_pod(&format!("{}-{i}", names::of_revision("one", revision)));
        pod.revision = revision.clone();
        let target = Target {
            revision: revision.clone(),
            ..fixtures::target(&pod.name)
        };
        pod.sample = sample(&target, &written(edits, revision));
        pod.target = Some(target);
        pod
    });
    pods.collect()
}

/// Which comparisons of digests the reports lead to.
fn compared(pods: &[ObservedPod]) {
    let answers = pods.iter().filter_map(|pod| pod.sample.answer());
    let built: Vec<Built<'_>> = answers
        .filter_map(|status| {
            Some(Built {
                height: status.height?,
                module: &status.module_sha256,
                lineage: &status.lineage,
            })
        })
        .collect();
    for comparison in comparable(&built) {
        assert!(comparison.height <= HEIGHT_MAX && comparison.pods.len() > 1);
    }
}

fn observed(valid: &ValidIndexer, pods: Vec<ObservedPod>) -> Observed {
    let serving = fixtures::valid();
    let answers = pods
        .iter()
        .filter_map(|pod| Some((pod.name.clone(), pod.sample.answer()?.digest.clone()?)));
    let digests: Vec<(String, String)> = answers.take(2).collect();
    let records = [
        (serving.revision.clone(), Some(serving.declared())),
        (valid.revision.clone(), Some(valid.declared())),
    ];
    // With another module on the same data, there is one set.
    let sets = if valid.rollout.strategy == RolloutStrategy::InPlace {
        1
    } else {
        2
    };
    let claims = pods.iter().map(|pod| {
        let claim = fixtures::bound_claim(&format!("{}-{}", names::DATA, pod.name), "50Gi");
        VolumeClaim::read(&claim).unwrap()
    });
    Observed {
        claims: claims.collect(),
        records: records.into_iter().take(sets).collect(),
        consistency: compare(&digests)
            .map(|found| (serving.revision, found))
            .into_iter()
            .collect(),
        pods,
        ..Observed::default()
    }
}

/// One pass on what was observed, without its writes.
fn pass(valid: &ValidIndexer, observed: &Observed, last: Option<&IndexerStatus>, now: Timestamp) -> IndexerStatus {
    let world = World::of(valid, observed, None, last, now);
    let decision: Decision = decide(valid, &world);
    let planned = plan(
        valid,
        &decision,
        &Sizes::of(valid, &decision, observed),
        &Memories::default(),
    );
    assert!(!planned.children.is_empty());
    for (_, record) in &decision.sets {
        assert!(record.in_place_at.is_none_or(|height| height <= HEIGHT_MAX + 1));
    }
    for growth in growths(valid, &decision, observed, &Capacities::new()) {
        assert!(growth.to.is_none_or(|to| to.bytes > growth.from.bytes));
    }
    let replaced = next_replacement(valid, &decision, observed, &[]);
    assert!(replaced.is_none_or(|pod| observed.pods.contains(pod)));
    let mut seen = Seen::default();
    observed.pods.iter().for_each(|pod| seen.add(pod));
    let bounds = Bounds {
        threshold_bytes: Some(valid.threshold_bytes),
        guest_limit_bytes: valid.identity.memory_limit_bytes,
        views: &valid.views,
        cache_bytes: valid.cache_bytes,
        present_limit: Some(0),
    };
    let before = last.and_then(|status| status.memory.as_ref()?.recommendation.as_ref());
    let recommended = recommend(before, &seen, &bounds, true);
    let next = status::status(&Inputs {
        namespace: "ns",
        name: "one",
        generation: 1,
        outcome: Ok(valid),
        observed,
        decision: Some(&decision),
        comparison: None,
        recommendation: recommended.as_ref(),
        memories: &Memories::default(),
        applied: &Applied::default(),
        last_status: last,
        now,
    });
    for event in transitions(last, &next) {
        assert!(event.note.is_some_and(|note| note.len() <= 1_024));
    }
    next
}

/// The API server takes whole numbers of 64 bits with a sign, and would refuse the whole status for another one.
fn assert_accepted(value: &Value) {
    match value {
        Value::Number(number) => assert!(number.is_i64(), "{number}"),
        Value::Array(values) => values.iter().for_each(assert_accepted),
        Value::Object(fields) => fields.values().for_each(assert_accepted),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_report_ends_the_operator(
        what in 0..3_u8,
        before in prop::collection::vec(body(), 3),
        after in prop::collection::vec(body(), 3),
    ) {
        let valid = declared(what);
        let (before, after) = (pods(&valid, &before), pods(&valid, &after));
        compared(&before);
        for (shown, latest) in before.iter().zip(&after) {
            let _ = change(&shown.sample, &latest.sample, valid.rollout.max_behind);
        }
        let first = pass(&valid, &observed(&valid, before), None, Timestamp::UNIX_EPOCH);
        let next = pass(&valid, &observed(&valid, after), Some(&first), Timestamp::from_second(LATER).unwrap());
        let _ = status::differs(&first, &next);
        let written = serde_json::to_value(&next).unwrap();
        assert_accepted(&written);
        prop_assert!(written.to_string().len() < 64 << 10);
        prop_assert_eq!(serde_json::from_value::<IndexerStatus>(written).unwrap(), next);
    }

    #[test]
    fn bytes_that_are_no_report_are_no_answer(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(sample(&fixtures::target("one-0"), &body).answer().is_none());
    }
}
