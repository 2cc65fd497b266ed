//! Every situation as a whole object, in a file that GitOps tools' checks are tested with (`operator/tests/gitops`).
//! `make golden` writes the objects; the comment lines on top, how each is to be read, are a person's and stay.

use std::{collections::BTreeSet, fs, path::PathBuf};

use super::*;
use crate::fixtures::indexer;

fn folder() -> PathBuf {
    let kind = "integrations/argocd/resource_customizations/shrewd.dev/Indexer/testdata";
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(kind)
}

fn file_name(situation: &str) -> String {
    format!(
        "{}.yaml",
        situation.to_lowercase().replace(['\'', ','], "").replace(' ', "-")
    )
}

/// The comment lines of a file; of one that is not there yet, those that a person must complete.
fn header(path: &PathBuf, read: Kstatus) -> String {
    let Ok(text) = fs::read_to_string(path) else {
        return format!("# kstatus: {read:?}\n# argo: to be decided\n# message: ''\n");
    };
    let lines = text.lines().take_while(|line| line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

fn object(situation: &Situation) -> String {
    let mut indexer = indexer();
    indexer.spec.suspend = situation.valid.suspended;
    if !situation.valid.suspended {
        indexer.spec.replicas = situation.valid.replicas;
    }
    indexer.status = Some(situation.status());
    serde_yaml::to_string(&indexer).unwrap()
}

#[test]
fn recorded_objects_are_what_the_operator_writes() {
    for (name, edit, read, ..) in SITUATIONS {
        let mut situation = Situation::default();
        edit(&mut situation);
        let path = folder().join(file_name(name));
        let text = header(&path, *read) + &object(&situation);
        expectorate::assert_contents(&path, &text);
    }
}

#[test]
fn recorded_objects_the_operator_does_not_write_say_so() {
    let written: BTreeSet<String> = SITUATIONS.iter().map(|(name, ..)| file_name(name)).collect();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_by_hand = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .any(|l| l.starts_with("# byHand: "));
        assert!(is_by_hand != written.contains(&name), "{name}");
    }
}
