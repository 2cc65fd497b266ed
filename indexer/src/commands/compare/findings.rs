//! (pure) What was found of all questions, as a report and as an outcome.

use super::{
    answers::{Answer, Verdict, shown},
    questions::Questions,
};
use crate::commands::text::counted;

/// Differences and missing answers that are shown one by one.
const SHOWN_MAX: usize = 20;

/// How a comparison ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All answers are the same.
    Same,
    /// Some are different.
    Different,
    /// None is different, and some questions were not answered.
    NotAnswered,
}

/// What was found of all questions.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) blocks: Kind,
    /// Asked once all blocks are the same: views of different chains have nothing to tell.
    pub(super) views: Kind,
}

/// What was found of the questions of one kind.
#[derive(Debug, Default)]
pub(super) struct Kind {
    different: Vec<String>,
    not_answered: Vec<String>,
    failed: usize,
}

impl Kind {
    pub(super) fn note(&mut self, words: &str, verdict: Verdict, ours: &Answer, theirs: &Answer) {
        let both = || format!("{words}: {} here, {} there", shown(ours), shown(theirs));
        match verdict {
            Verdict::Same => {}
            Verdict::BothFail => self.failed += 1,
            Verdict::Different => self.different.push(both()),
            Verdict::NotAnswered => self.not_answered.push(format!("not answered: {}", both())),
        }
    }

    pub(super) fn is_same(&self) -> bool {
        self.different.is_empty() && self.not_answered.is_empty()
    }
}

impl Findings {
    /// Differences first, as many as people read.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { blocks, views } = self;
        let all = [
            &blocks.different,
            &views.different,
            &blocks.not_answered,
            &views.not_answered,
        ];
        let count: usize = all.iter().map(|lines| lines.len()).sum();
        let mut lines: Vec<String> = all.into_iter().flatten().take(SHOWN_MAX).cloned().collect();
        if count > SHOWN_MAX {
            lines.push(format!("and {} more", count - SHOWN_MAX));
        }
        lines
    }

    /// A difference is one whatever else was not answered.
    pub(super) fn outcome(&self) -> Outcome {
        let Self { blocks, views } = self;
        if !blocks.different.is_empty() || !views.different.is_empty() {
            Outcome::Different
        } else if blocks.is_same() && views.is_same() {
            Outcome::Same
        } else {
            Outcome::NotAnswered
        }
    }

    /// The last lines, once all questions have been put.
    pub(super) fn summary(&self, asked: &Questions) -> Vec<String> {
        let failed = (self.views.failed > 0).then(|| {
            let calls = counted(asked.views.len(), "call");
            format!(
                "{} of {calls} of views failed on both, which counts as the same",
                self.views.failed
            )
        });
        failed.into_iter().chain([self.verdict(asked)]).collect()
    }

    fn verdict(&self, asked: &Questions) -> String {
        let (blocks, views) = (asked.blocks.len(), asked.views.len());
        // As long as a block is in doubt there is nothing to say of views.
        let (kind, all, thing, about) = match self.blocks.is_same() {
            true => (&self.views, blocks + views, "answer", ""),
            false => (&self.blocks, blocks, "block", " about blocks"),
        };
        let rest = match self.blocks.is_same() || views == 0 {
            true => "",
            false => ", so that views were not asked",
        };
        let different = format!("{} of {}", kind.different.len(), counted(all, thing));
        let missing = kind.not_answered.len();
        let were = if missing == 1 { "was" } else { "were" };
        let missing_words = format!("{missing} of {}{about} {were} not answered", counted(all, "question"));
        match self.outcome() {
            Outcome::Same => format!(
                "the same: {} and {} of views",
                counted(blocks, "block"),
                counted(views, "answer")
            ),
            Outcome::Different if missing == 0 => format!("different: {different}{rest}"),
            Outcome::Different => format!("different: {different}; {missing_words}{rest}"),
            Outcome::NotAnswered => format!("could not be compared: {missing_words}{rest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crds::CompareView;

    use super::{super::questions::questions, *};

    /// What both are asked: the blocks 1 to 3, and a view at each.
    fn asked(views: usize) -> Questions {
        let view = CompareView {
            function: "echo".into(),
            input: "0x".into(),
            heights: Vec::new(),
        };
        questions(&["1-3".parse().unwrap()], &vec![view; views], 3)
    }

    fn kind(verdicts: &[Verdict]) -> Kind {
        let mut kind = Kind::default();
        for (i, verdict) in verdicts.iter().enumerate() {
            kind.note(
                &format!("question {i}"),
                *verdict,
                &Ok("0x07".into()),
                &Ok("0x08".into()),
            );
        }
        kind
    }

    #[test]
    fn an_outcome_is_the_same_only_if_every_question_was_answered() {
        use Verdict::{BothFail, Different, NotAnswered, Same};
        for (blocks, views, outcome, last) in [
            (
                &[Same][..],
                &[Same, Same][..],
                Outcome::Same,
                "the same: 3 blocks and 3 answers of views",
            ),
            (&[Same], &[Different], Outcome::Different, "different: 1 of 6 answers"),
            (
                &[Same],
                &[NotAnswered, Different, NotAnswered],
                Outcome::Different,
                "different: 1 of 6 answers; 2 of 6 questions were not answered",
            ),
            (
                &[Same],
                &[BothFail, NotAnswered],
                Outcome::NotAnswered,
                "could not be compared: 1 of 6 questions was not answered",
            ),
            (
                &[Different, NotAnswered],
                &[],
                Outcome::Different,
                "different: 1 of 3 blocks; 1 of 3 questions about blocks was not answered, so that views were not asked",
            ),
            (
                &[NotAnswered, NotAnswered],
                &[],
                Outcome::NotAnswered,
                "could not be compared: 2 of 3 questions about blocks were not answered, so that views were not asked",
            ),
        ] {
            let findings = Findings {
                blocks: kind(blocks),
                views: kind(views),
            };
            assert_eq!(findings.outcome(), outcome, "{findings:?}");
            assert_eq!(findings.summary(&asked(1)).last().unwrap(), last);
        }
    }

    #[test]
    fn views_that_fail_on_both_are_the_same_and_the_report_counts_them() {
        let findings = Findings {
            blocks: kind(&[Verdict::Same; 3]),
            views: kind(&[Verdict::BothFail, Verdict::Same, Verdict::BothFail]),
        };
        assert_eq!(findings.outcome(), Outcome::Same);
        assert_eq!(
            findings.summary(&asked(1)),
            [
                "2 of 3 calls of views failed on both, which counts as the same",
                "the same: 3 blocks and 3 answers of views"
            ]
        );
    }

    #[test]
    fn without_views_none_are_said_to_be_left_out() {
        let findings = Findings {
            blocks: kind(&[Verdict::Different]),
            views: Kind::default(),
        };
        assert_eq!(findings.summary(&asked(0)), ["different: 1 of 3 blocks"]);
    }

    #[test]
    fn differences_are_shown_first_and_no_more_than_people_read() {
        let verdicts = [&[Verdict::NotAnswered; 3][..], &[Verdict::Different; 19]].concat();
        let findings = Findings {
            blocks: Kind::default(),
            views: kind(&verdicts),
        };
        let lines = findings.lines();
        assert_eq!(lines.len(), SHOWN_MAX + 1);
        assert_eq!(lines[0], "question 3: 1 byte 0x07 here, 1 byte 0x08 there");
        assert_eq!(
            lines[19],
            "not answered: question 0: 1 byte 0x07 here, 1 byte 0x08 there"
        );
        assert_eq!(lines[20], "and 2 more");
    }
}
