//! (pure) What is put to both: views at heights that both have, and the blocks there.

use std::collections::BTreeSet;

use crds::CompareView;
use serde_json::{Value, json};

use crate::{
    cli::args::{Heights, chosen},
    commands::text::start,
};

/// One question to both.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    height: u32,
    pub(super) method: &'static str,
    pub(super) params: Value,
    /// For the report.
    pub(super) words: String,
}

/// All questions.
#[derive(Debug)]
pub(super) struct Questions {
    /// The blocks at all heights that anything is asked about.
    pub(super) blocks: Vec<Question>,
    pub(super) views: Vec<Question>,
    /// Heights that were named and are above the lower tip. Nothing is asked about them: a view there answers from the
    /// tip, which is another block on each.
    pub(super) left_out: usize,
}

/// Each view at its own heights, or at those that were chosen. `newest` is the newest height that both have.
pub(super) fn questions(choices: &[Heights], views: &[CompareView], newest: u32) -> Questions {
    let chosen = chosen(choices, newest);
    let views_at = of_views(views, &chosen, newest);
    Questions {
        blocks: of_blocks(&chosen, &views_at),
        views: views_at,
        left_out: left_out(choices, views, newest),
    }
}

fn of_views(views: &[CompareView], chosen: &[u32], newest: u32) -> Vec<Question> {
    let heights = |view: &CompareView| match view.heights.is_empty() {
        true => chosen.to_vec(),
        false => view
            .heights
            .iter()
            .copied()
            .filter(|height| *height <= newest)
            .collect(),
    };
    let at = |view: &CompareView, height: u32| Question {
        height,
        method: "metashrew_view",
        params: json!([view.function, view.input, height]),
        words: format!("{}({}) at {height}", view.function, start(&view.input)),
    };
    let of_view = |view| heights(view).into_iter().map(move |height| at(view, height));
    views.iter().flat_map(of_view).collect()
}

fn of_blocks(chosen: &[u32], views: &[Question]) -> Vec<Question> {
    let heights: BTreeSet<u32> = chosen
        .iter()
        .copied()
        .chain(views.iter().map(|question| question.height))
        .collect();
    let at = |height: u32| Question {
        height,
        method: "metashrew_getblockhash",
        params: json!([height]),
        words: format!("block {height}"),
    };
    heights.into_iter().map(at).collect()
}

fn left_out(choices: &[Heights], views: &[CompareView], newest: u32) -> usize {
    // `latest` is never above: it is the newest that both have.
    let named: Vec<Heights> = choices
        .iter()
        .filter(|choice| **choice != Heights::Latest)
        .cloned()
        .collect();
    let above: BTreeSet<u32> = chosen(&named, u32::MAX)
        .into_iter()
        .chain(views.iter().flat_map(|view| view.heights.iter().copied()))
        .filter(|height| *height > newest)
        .collect();
    above.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(choices: &str, views: &[&[u32]]) -> (Vec<String>, Vec<String>, usize) {
        let choices: Vec<Heights> = choices.split(',').map(|text| text.parse().unwrap()).collect();
        let view = |heights: &&[u32]| CompareView {
            function: "echo".into(),
            input: "0x".into(),
            heights: heights.to_vec(),
        };
        let views: Vec<CompareView> = views.iter().map(view).collect();
        let Questions {
            blocks,
            views,
            left_out,
        } = questions(&choices, &views, 100);
        let words = |questions: Vec<Question>| questions.into_iter().map(|question| question.words).collect();
        (words(blocks), words(views), left_out)
    }

    #[test]
    fn a_view_is_asked_at_its_own_heights_or_at_those_that_were_chosen() {
        let (blocks, views, left_out) = asked("90,latest", &[&[], &[7]]);
        assert_eq!(blocks, ["block 7", "block 90", "block 100"]);
        assert_eq!(views, ["echo(0x) at 90", "echo(0x) at 100", "echo(0x) at 7"]);
        assert_eq!(left_out, 0);
    }

    #[test]
    fn heights_above_the_lower_tip_are_counted_once_each() {
        let (blocks, views, left_out) = asked("100-120/10,latest", &[&[110, 900], &[900]]);
        assert_eq!((blocks, left_out), (vec!["block 100".to_owned()], 3), "110, 120, 900");
        assert!(views.is_empty());
        let (blocks, _, left_out) = asked("840000-900000/1000", &[]);
        assert!(blocks.is_empty());
        assert_eq!(left_out, 61);
    }
}
