use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crds::{
    LatestSnapshot,
    pod::{FaultClass, Halt, Snapshots, Status, Volume},
};
use indexer::{
    store::Stats,
    telemetry::{
        metrics::{Metrics, ReadPlace},
        report::Report,
    },
};

use crate::harness::config;

const DOCUMENTED: &str = include_str!("../../../docs/src/reference.md");

/// Type, labels and help of every metric of a process to which everything has happened, by name.
fn scraped() -> BTreeMap<String, (String, Vec<String>, String)> {
    let config = config();
    let report = Report::new(&config);
    let metrics = Arc::new(Metrics::new(&config).unwrap());
    report.update(|status| {
        status.height = Some(10);
        status.halt = Some(Halt {
            class: FaultClass::Guest,
            height: 11,
            block_hash: "00".into(),
            runs: 2,
            message: "unreachable executed".into(),
        });
    });
    report.source_heard(11);
    metrics.source_error("Unreachable");
    metrics.store(&Stats::default());
    metrics.read(ReadPlace::Disk, Duration::from_millis(1));
    metrics.guest_pages_kept("no_swap", true);
    metrics.view("get", "ok", Duration::from_millis(1));
    let status = Status {
        blocks_per_second: Some(1.5),
        seconds_left: Some(60),
        volume: Some(Volume {
            capacity_bytes: 2,
            free_bytes: 1,
            growth_per_day_bytes: Some(1),
            days_left: Some(1.0),
        }),
        snapshots: Some(Snapshots {
            latest: Some(LatestSnapshot {
                height: 10,
                block_hash: "00".into(),
                digest: "00".into(),
                url: "s3://bucket/10".into(),
                manifest_sha256: "00".into(),
                bytes: 1,
                time: LatestSnapshot::now(),
            }),
            ..Snapshots::default()
        }),
        ..report.status()
    };
    let text = metrics.render(&status).unwrap();
    let mut found: BTreeMap<String, (String, Vec<String>, String)> = BTreeMap::new();
    for line in text.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line).replace("shrewd_indexer_", "");
        let (word, rest) = line.split_once(' ').unwrap();
        match word {
            "HELP" => {
                let (name, help) = rest.split_once(' ').unwrap();
                found.entry(name.into()).or_default().2 = help.into();
            }
            "TYPE" => {
                let (name, kind) = rest.split_once(' ').unwrap();
                found.entry(name.into()).or_default().0 = kind.into();
            }
            sample => {
                let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
                let base = ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|end| name.strip_suffix(end));
                let metric = base.filter(|base| found.contains_key(*base)).unwrap_or(name);
                let labels = labels
                    .trim_end_matches('}')
                    .split(',')
                    .filter_map(|label| label.split_once('='));
                let labels = labels.map(|(name, _)| name.to_owned()).filter(|name| name != "le");
                found.get_mut(metric).unwrap().1 = labels.collect();
            }
        }
    }
    found
}

#[test]
fn every_metric_has_its_name_type_labels_and_help() {
    let lines = scraped().into_iter().map(|(name, (kind, labels, help))| {
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        format!("{name}{labels} {kind}: {help}\n")
    });
    expectorate::assert_contents("tests/golden/metrics.txt", &lines.collect::<String>());
}

#[test]
fn names_and_units_are_as_prometheus_wants_them() {
    for (name, (kind, labels, help)) in scraped() {
        assert!(help.len() > 10 && help.ends_with('.'), "{name}: {help:?}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        assert!(
            !name.contains("milli") && !name.contains("_kb") && !name.contains("_ms"),
            "{name}"
        );
        if kind == "histogram" {
            assert!(name.ends_with("_seconds") || name.ends_with("_blocks"), "{name}");
        }
        assert!(labels.len() <= 3, "{name}");
    }
}

#[test]
fn the_reference_lists_every_metric_with_its_labels_and_no_other() {
    let section = DOCUMENTED
        .split("\n## ")
        .find(|part| part.starts_with("Metrics\n"))
        .unwrap();
    let table = section.split("Of the operator").next().unwrap();
    // Names are in backticks in the first column.
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    let names = rows.flat_map(|(first, _)| first.split('`'));
    let names = names
        .map(|name| name.trim_matches([',', ' ']))
        .filter(|name| !name.is_empty());
    let listed = |name: &str, mut labels: Vec<&str>| {
        labels.sort_unstable();
        format!("{name}{{{}}}", labels.join(","))
    };
    let mut documented: Vec<String> = names
        .map(|name| match name.split_once('{') {
            None => listed(name, Vec::new()),
            Some((name, labels)) => listed(name, labels.trim_end_matches('}').split(',').collect()),
        })
        .collect();
    documented.sort();
    let mut there: Vec<String> = scraped()
        .iter()
        .map(|(name, (_, labels, _))| listed(name, labels.iter().map(String::as_str).collect()))
        .collect();
    there.sort();
    assert_eq!(documented, there);
}
