//! What the commands show at stages of an index's life: `tests/stages/STAGE` has the resource and each screen.
#![allow(clippy::unwrap_used)] // helpers of tests fail like tests

use std::{fs, path::PathBuf};

use crds::pod::ViewList;
use k8s_openapi::jiff::Timestamp;
use kubectl_shrewd::{
    changes,
    facts::Facts,
    findings::findings,
    read::{Seen, read},
    screen::{self, top::Row},
    style::Style,
};
use serde_json::Value;

const STAGES: [&str; 7] = [
    "newborn",
    "syncing",
    "following",
    "halted",
    "hotfix",
    "disk-nearly-full",
    "suspended",
];

/// A terminal of the usual width, whose colours would only hide what a file says.
const TERMINAL: Style = Style {
    width: Some(100),
    colour: false,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stages")
}

fn seen(stage: &str) -> Seen {
    let text = fs::read_to_string(folder().join(stage).join("in.yaml")).unwrap();
    read(serde_yaml::from_str(&text).unwrap()).unwrap()
}

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// Compares a screen with the file of its command, after what all screens have in common.
fn compare(stage: &str, command: &str, screen: &str) {
    for line in screen.lines() {
        assert_eq!(line.trim_end(), line, "{stage}: no line ends with spaces");
    }
    expectorate::assert_contents(folder().join(stage).join(format!("{command}.txt")), screen);
}

#[test]
fn status_fits_one_screen() {
    for stage in STAGES {
        let text = screen::status::status(&Facts::of(&seen(stage)), now(), TERMINAL);
        assert!(text.lines().count() <= 50, "{stage}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{stage}: {text}");
        compare(stage, "status", &text);
    }
}

#[test]
fn a_document_has_the_facts() {
    let document = serde_yaml::to_string(&Facts::of(&seen("following"))).unwrap();
    expectorate::assert_contents(folder().join("following/status.yaml"), &document);
}

#[test]
fn screens_fit_terminals_of_other_widths() {
    for (stage, width) in STAGES.iter().flat_map(|stage| [80, 140].map(|width| (stage, width))) {
        let (seen, style) = (
            seen(stage),
            Style {
                width: Some(width),
                colour: false,
            },
        );
        let facts = Facts::of(&seen);
        let status = screen::status::status(&facts, now(), style);
        let why = screen::why::why(&facts, &findings(&seen), now(), style);
        for line in status.lines().chain(why.lines()) {
            assert!(line.chars().count() <= width, "{stage}: {line}");
        }
    }
}

#[test]
fn why_says_what_to_do() {
    for stage in STAGES {
        let seen = seen(stage);
        let text = screen::why::why(&Facts::of(&seen), &findings(&seen), now(), TERMINAL);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{stage}: {text}");
        compare(stage, "why", &text);
    }
}

#[test]
fn top_has_a_line_for_each() {
    let row = |stage: &&str| {
        let facts = Facts {
            name: (*stage).to_owned(),
            ..Facts::of(&seen(stage))
        };
        Row::of(&facts)
    };
    let rows: Vec<Row> = STAGES.iter().map(row).collect();
    expectorate::assert_contents(folder().join("top.txt"), &screen::top::top(&rows, false, TERMINAL));
    expectorate::assert_contents(folder().join("top-all.txt"), &screen::top::top(&rows, true, TERMINAL));
}

#[test]
fn the_difference_that_another_module_makes() {
    let live: Value = serde_yaml::from_str(&fs::read_to_string(folder().join("following/in.yaml")).unwrap()).unwrap();
    let mut manifest = live.clone();
    manifest.as_object_mut().unwrap().remove("status");
    manifest["spec"]["module"]["sha256"] = "9c41e6d25f8a37b1c0d94e2f6a8b5c7d1e3f09a2b4c6d8e0f1a3b5c7d9e0f2a4".into();
    manifest["spec"]["storage"]["size"] = "80Gi".into();
    let plan = changes::plan(Some(&live), &manifest).unwrap();
    let text = screen::diff::diff("outpoints", "default", &plan, TERMINAL);
    expectorate::assert_contents(folder().join("diff.txt"), &text);
}

#[test]
fn views_are_one_a_line() {
    let list = ViewList::of(["balance", "outpoint", "tip"].into_iter());
    let (text, remark) = screen::views::views("outpoints", &list);
    expectorate::assert_contents(folder().join("views.txt"), &text);
    assert_eq!(remark, None);
}

/// The examples of the book are what the commands show.
#[test]
fn the_book_shows_what_the_commands_show() {
    let page = include_str!("../../docs/src/kubectl.md");
    let shown = [
        ("status", "following/status.txt"),
        ("why", "disk-nearly-full/why.txt"),
        ("why", "hotfix/why.txt"),
        ("top -A", "top-all.txt"),
        ("diff -f outpoints.yaml", "diff.txt"),
        ("views outpoints", "views.txt"),
    ];
    for (command, file) in shown {
        let screen = fs::read_to_string(folder().join(file)).unwrap();
        assert!(
            page.contains(&screen),
            "kubectl shrewd {command}: docs/src/kubectl.md and {file} differ"
        );
    }
}
