//! The pictures of the book are what is drawn of the files in `docs/pictures`. `make golden` writes them.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests fail like tests

mod diagram;
mod memory;
mod svg;
mod text;

use std::{collections::BTreeSet, fs, path::PathBuf};

/// A page shows several of them, and a phone loads it.
const BYTES_MAX: usize = 40_000;

fn docs() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"))
}

#[test]
fn are_drawn_from_their_sources() {
    let mut drawn = BTreeSet::new();
    for entry in fs::read_dir(docs().join("pictures")).unwrap() {
        let path = entry.unwrap().path();
        let source = fs::read_to_string(&path).unwrap();
        let picture = match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml") => diagram::draw(&source),
            Some("csv") => memory::draw(&source),
            _ => continue,
        };
        let picture = picture.unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
        let name = path.with_extension("svg").file_name().unwrap().to_owned();
        assert!(picture.len() < BYTES_MAX, "{}: {} bytes", path.display(), picture.len());
        expectorate::assert_contents(docs().join("src/pictures").join(&name), &picture);
        drawn.insert(name);
    }
    assert!(drawn.len() >= 4, "{drawn:?}");
    let there: BTreeSet<_> = fs::read_dir(docs().join("src/pictures"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(there, drawn, "pictures without a source");
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let head = "title: t\ndesc: d\ncolumns: [100, 100]\nbetween_columns: [50]\nbetween_rows: [50]\n";
    let cases = [
        (
            "boxes:\n- {name: a, at: [0, 0], title: unpronounceable}\n",
            "`unpronounceable` is wider than box a",
        ),
        (
            "boxes:\n- {name: a, at: [0, 0], title: a}\narrows:\n- {from: a, to: b}\n",
            "there is no box b",
        ),
        (
            "boxes:\n- {name: a, at: [0, 0], title: a}\n- {name: b, at: [1, 1], title: b}\narrows:\n- {from: a, to: b}\n",
            "no straight arrow leads from a to b",
        ),
        (
            "boxes:\n- {name: a, at: [0, 0], title: a}\n- {name: b, at: [1, 0], title: b}\n\
             arrows:\n- {from: a, to: b, says: long-winded}\n",
            "`long-winded` is longer than the arrow from a to b",
        ),
        (
            "boxes:\n- {name: a, at: [2, 0], title: a}\n",
            "box a is outside the grid",
        ),
    ];
    for (body, problem) in cases {
        assert_eq!(diagram::draw(&format!("{head}{body}")).unwrap_err(), problem);
    }
}
