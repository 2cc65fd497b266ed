//! The shortest circles among dependencies.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    fmt,
    path::Path,
};

use super::edges::{Edge, Reason};

/// Reasons of one dependency that are shown; more would hide the circle.
const REASONS_SHOWN: usize = 3;

/// Files that depend on each other, in order; the last edge leads to where the first begins.
#[derive(Debug)]
pub struct Circle(pub Vec<Edge>);

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Edge { from, to, reasons }) in self.0.iter().enumerate() {
            let start = if number == 0 { "circle:" } else { "       " };
            let names = each_name_once(reasons);
            let shown: Vec<String> = names
                .iter()
                .take(REASONS_SHOWN)
                .map(|it| format!("{} (line {})", it.path, it.line))
                .collect();
            write!(
                f,
                "{start} {} -> {}: {}",
                from.display(),
                to.display(),
                shown.join(", ")
            )?;
            match names.len().saturating_sub(REASONS_SHOWN) {
                0 => writeln!(f)?,
                more => writeln!(f, " and {more} more")?,
            }
        }
        Ok(())
    }
}

/// Without the uses of a name that an earlier line imports.
fn each_name_once(reasons: &[Reason]) -> Vec<&Reason> {
    let mut named = BTreeSet::new();
    let mut kept = Vec::new();
    for reason in reasons {
        let first = reason.path.split("::").next().unwrap_or_default();
        if !named.contains(first) {
            named.extend(reason.path.rsplit("::").next());
            kept.push(reason);
        }
    }
    kept
}

/// Circles in which each edge occurs that is part of any, the shortest first.
pub(crate) fn circles(edges: &[Edge]) -> Vec<Circle> {
    let mut from: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
    for (number, edge) in edges.iter().enumerate() {
        from.entry(&edge.from).or_default().push(number);
    }
    let mut all: Vec<Vec<usize>> = (0..edges.len())
        .filter_map(|first| shortest(edges, &from, first))
        .collect();
    all.sort_by_key(Vec::len);
    let mut covered = BTreeSet::new();
    all.retain(|circle| {
        let is_new = !covered.contains(&circle[0]);
        covered.extend(circle.iter().copied());
        is_new
    });
    all.into_iter()
        .map(|circle| Circle(circle.into_iter().map(|number| edges[number].clone()).collect()))
        .collect()
}

/// The shortest circle that starts with an edge.
fn shortest(edges: &[Edge], from: &BTreeMap<&Path, Vec<usize>>, first: usize) -> Option<Vec<usize>> {
    let goal = edges[first].from.as_path();
    let mut reached_by: HashMap<&Path, usize> = HashMap::from([(edges[first].to.as_path(), first)]);
    let mut next = VecDeque::from([edges[first].to.as_path()]);
    while let Some(file) = next.pop_front() {
        if file == goal {
            return Some(way_back(edges, &reached_by, first));
        }
        for &number in from.get(file).into_iter().flatten() {
            let to = edges[number].to.as_path();
            reached_by.entry(to).or_insert_with(|| {
                next.push_back(to);
                number
            });
        }
    }
    None
}

/// The edges from the first one on, found from the end.
fn way_back(edges: &[Edge], reached_by: &HashMap<&Path, usize>, first: usize) -> Vec<usize> {
    let mut way = Vec::new();
    let mut file = edges[first].from.as_path();
    while let Some(&number) = reached_by.get(file) {
        way.push(number);
        if number == first {
            break;
        }
        file = edges[number].from.as_path();
    }
    way.reverse();
    way
}
