//! The answers to one question that a client repeats.

use serde::{Deserialize, Serialize};

/// Failures whose messages are kept.
const ERRORS_MAX: usize = 5;
/// Stretches that are kept. A test expects three at most, so this many already show an answer that flaps.
const STRETCHES_MAX: usize = 20;

/// The answers in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Questions so far.
    pub questions: u64,
    /// How many of them got no answer, from the first answer on: a Service leads to a pod up to a second after that is
    /// ready, and whoever starts the client waits for its first answer.
    pub failures: u64,
    /// The first of the failures.
    pub errors: Vec<String>,
    /// One entry for each time the answer changed.
    pub stretches: Vec<Stretch>,
    /// How many more changes there were.
    pub more_stretches: u64,
}

/// The same answer to consecutive questions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The answer.
    pub answer: String,
    /// To how many questions.
    pub times: u64,
}

impl Asked {
    /// Notes an answer.
    pub fn answered(&mut self, answer: &str) {
        self.questions += 1;
        let is_full = self.stretches.len() == STRETCHES_MAX;
        match self.stretches.last_mut() {
            Some(newest) if newest.answer == answer => newest.times += 1,
            _ if is_full => self.more_stretches += 1,
            _ => self.stretches.push(Stretch {
                answer: answer.to_owned(),
                times: 1,
            }),
        }
    }

    /// Notes a question without an answer.
    pub fn failed(&mut self, error: &str) {
        self.questions += 1;
        self.failures += u64::from(!self.stretches.is_empty());
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error.to_owned());
        }
    }

    /// Whether every question was answered, with these answers in this order and no others.
    #[must_use]
    pub fn is_exactly(&self, answers: &[String]) -> bool {
        let seen = self.stretches.iter().map(|stretch| &stretch.answer);
        self.failures == 0 && self.more_stretches == 0 && seen.eq(answers)
    }

    /// How many of the last questions had this answer; 0 if the last one had another.
    #[must_use]
    pub fn in_a_row(&self, answer: &str) -> u64 {
        let newest = self.stretches.last().filter(|newest| newest.answer == answer);
        newest
            .filter(|_| self.more_stretches == 0)
            .map_or(0, |newest| newest.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(answers: &[&str]) -> Asked {
        let mut asked = Asked::default();
        answers.iter().for_each(|answer| asked.answered(answer));
        asked
    }

    fn is_exactly(asked: &Asked, answers: &[&str]) -> bool {
        asked.is_exactly(&answers.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn an_answer_that_comes_back_is_a_stretch_of_its_own() {
        let seen = asked(&["a", "a", "b", "a"]);
        assert!(is_exactly(&seen, &["a", "b", "a"]));
        for other in [&["a", "b"][..], &["a"], &[], &["a", "b", "a", "b"]] {
            assert!(!is_exactly(&seen, other), "{other:?}");
        }
        assert_eq!((seen.in_a_row("a"), seen.in_a_row("b")), (1, 0));
    }

    #[test]
    fn without_an_answer_nothing_was_exactly_so() {
        let mut seen = asked(&["a"]);
        seen.failed("no connection");
        assert!(!is_exactly(&seen, &["a"]));
        assert_eq!((seen.questions, seen.errors.len()), (2, 1));
        assert!(!is_exactly(&Asked::default(), &["a"]));
    }

    #[test]
    fn what_fails_before_the_first_answer_is_kept_and_is_no_failure() {
        let mut seen = Asked::default();
        seen.failed("no connection");
        assert_eq!((seen.questions, seen.failures, seen.errors.len()), (1, 0, 1));
        seen.answered("a");
        assert!(is_exactly(&seen, &["a"]));
    }

    #[test]
    fn an_answer_that_flaps_is_counted_and_never_exact() {
        let flapping: Vec<&str> = ["a", "b"].into_iter().cycle().take(2 * STRETCHES_MAX).collect();
        let seen = asked(&flapping);
        assert_eq!(seen.stretches.len(), STRETCHES_MAX);
        assert!(!is_exactly(&seen, &flapping[..STRETCHES_MAX]));
        assert_eq!(seen.in_a_row("b"), 0);
    }
}
