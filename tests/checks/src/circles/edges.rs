//! Which file depends on which, and why.

use std::{collections::BTreeMap, path::PathBuf};

use super::{resolve::files_of, tree::Tree};

/// One use of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The line, from 1.
    pub line: usize,
    /// The path as it is written there.
    pub path: String,
}

/// A file that uses what another one defines.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The file that uses.
    pub from: PathBuf,
    /// The file that defines.
    pub to: PathBuf,
    /// Each line and name once, in order.
    pub reasons: Vec<Reason>,
}

/// All dependencies between two files of a crate.
pub(crate) fn edges(tree: &Tree) -> Vec<Edge> {
    let mut found: BTreeMap<(usize, usize), Vec<Reason>> = BTreeMap::new();
    for (number, module) in tree.modules.iter().enumerate() {
        for used in &module.used {
            for file in files_of(tree, number, &used.path, used.is_macro) {
                if file != module.file {
                    found.entry((module.file, file)).or_default().push(Reason {
                        line: used.line,
                        path: used.path.join("::"),
                    });
                }
            }
        }
    }
    let edge = |((from, to), mut reasons): ((usize, usize), Vec<Reason>)| {
        reasons.sort();
        reasons.dedup();
        Edge {
            from: tree.files[from].clone(),
            to: tree.files[to].clone(),
            reasons,
        }
    };
    found.into_iter().map(edge).collect()
}
