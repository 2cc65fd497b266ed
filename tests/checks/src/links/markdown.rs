//! What of Markdown the check of links needs: links and headings outside of code.

use std::collections::BTreeSet;

use crate::fences::outside_fences;

/// Where a link leads that is not an address of another machine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// From 1.
    pub(super) line: usize,
    pub(super) target: String,
}

pub(super) fn links(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        for rest in without_code(line).split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                let target = target.to_owned();
                links.push(Link { line: number, target });
            }
        }
    }
    links
}

/// The anchors of all headings, as GitHub and mdBook make them.
pub(super) fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let anchor = anchor(line.trim_start_matches('#').trim());
        // A heading that occurs again gets a number.
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone())
            .chain(numbered)
            .find(|it| !anchors.contains(it));
        anchors.extend(free);
    }
    anchors
}

fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|it| match it {
            ' ' => Some('-'),
            '-' | '_' => Some(it),
            it => it.is_alphanumeric().then_some(it),
        })
        .collect()
}

/// Lines outside of blocks of code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().zip(outside_fences(text)).enumerate();
    lines
        .filter(|(_, (_, is_outside))| *is_outside)
        .map(|(number, (line, _))| (number + 1, line))
}

/// Code in a line is left out; the text of a link may be code, its target is none.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::{anchors, links};

    #[test]
    fn finds_links_outside_of_code() {
        let text = "[a](b.md) and [`c`](d.md#e), not `[f](g)`\n```\n[h](i)\n```\n[j](https://k) [l](#m)";
        let found: Vec<(usize, String)> = links(text).into_iter().map(|it| (it.line, it.target)).collect();
        let expected = [(1, "b.md"), (1, "d.md#e"), (5, "#m")];
        assert_eq!(found, expected.map(|(line, target)| (line, target.to_owned())));
    }

    #[test]
    fn headings_have_anchors() {
        let found = anchors("# What's `new`, really?\n## 3 Host-functions\n## Same\n## Same\n```\n# no heading\n```");
        let expected = ["3-host-functions", "same", "same-1", "whats-new-really"];
        assert!(found.iter().eq(expected), "{found:?}");
    }
}
