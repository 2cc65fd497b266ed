//! The recorded objects. Each file is an Indexer as the API server has it; comment lines on top say how it is to be
//! read. Another case is another file.

use serde::Deserialize;
use serde_json::Value;

use crate::{customization, kstatus::Kstatus, read};

/// One file.
pub(crate) struct Recorded {
    pub(crate) file: String,
    pub(crate) expected: Expected,
    pub(crate) object: Value,
}

/// Its comment lines, which together are a YAML mapping.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Expected {
    pub(crate) kstatus: Kstatus,
    /// Where Flux' expressions differ from kstatus.
    #[serde(default)]
    pub(crate) flux: Option<Kstatus>,
    pub(crate) argo: String,
    pub(crate) message: String,
    /// Why the operator's own tests do not write this file.
    #[serde(default)]
    pub(crate) by_hand: Option<String>,
}

pub(crate) fn all() -> Vec<Recorded> {
    let folder = customization().join("testdata");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|path| {
            let text = read(path);
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            let header: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
            Recorded {
                expected: serde_yaml::from_str(&header.join("\n")).unwrap_or_else(|e| panic!("{file}: {e}")),
                object: serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}")),
                file,
            }
        })
        .collect()
}

#[test]
fn every_verdict_is_recorded() {
    let all = all();
    assert!(all.len() >= 30, "{} files", all.len());
    for verdict in ["Progressing", "Degraded", "Suspended", "Healthy"] {
        assert!(all.iter().any(|r| r.expected.argo == verdict), "{verdict}");
    }
    for verdict in [
        Kstatus::Terminating,
        Kstatus::InProgress,
        Kstatus::Failed,
        Kstatus::Current,
    ] {
        assert!(all.iter().any(|r| r.expected.kstatus == verdict), "{verdict:?}");
    }
}

#[test]
fn flux_and_argo_cd_never_tell_different_things_of_one_object() {
    for recorded in all() {
        let flux = recorded.expected.flux.unwrap_or(recorded.expected.kstatus);
        let same = match flux {
            Kstatus::Failed => &["Degraded"][..],
            Kstatus::Current => &["Healthy", "Suspended"],
            Kstatus::InProgress | Kstatus::Terminating => &["Progressing"],
        };
        assert!(same.contains(&recorded.expected.argo.as_str()), "{}", recorded.file);
    }
}

#[test]
fn what_is_recorded_by_hand_says_why() {
    for recorded in all() {
        assert!(
            recorded.expected.by_hand.is_none_or(|why| why.len() > 10),
            "{}",
            recorded.file
        );
    }
}

#[test]
fn recorded_objects_can_be_read_by_the_operator() {
    for recorded in all() {
        let read: Result<crds::Indexer, _> = serde_json::from_value(recorded.object);
        assert!(read.is_ok(), "{}: {read:?}", recorded.file);
    }
}
