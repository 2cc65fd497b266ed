//! What a client that asks again and again was told.

use serde::{Deserialize, Serialize};

/// Failures that are kept in words.
const ERRORS_MAX: usize = 5;

/// Answers in the order in which they came first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Questions so far.
    pub questions: u64,
    /// How many got no answer.
    pub failures: u64,
    /// The first of those.
    pub errors: Vec<String>,
    /// Every different answer.
    pub answers: Vec<Told>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The answer.
    pub answer: String,
    /// The question that got it first, counted from 1.
    pub first: u64,
    /// The one that got it last.
    pub last: u64,
}

impl Asked {
    /// Notes an answer.
    pub fn answered(&mut self, answer: &str) {
        self.questions += 1;
        let question = self.questions;
        match self.answers.iter_mut().find(|told| told.answer == answer) {
            Some(told) => told.last = question,
            None => self.answers.push(Told {
                answer: answer.to_owned(),
                first: question,
                last: question,
            }),
        }
    }

    /// Notes a question without an answer.
    pub fn failed(&mut self, error: &str) {
        self.questions += 1;
        self.failures += 1;
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error.to_owned());
        }
    }

    /// Whether each answer was given in one stretch: once another came, the one before never came back.
    #[must_use]
    pub fn changed_cleanly(&self) -> bool {
        self.answers.windows(2).all(|pair| pair[0].last < pair[1].first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_comes_back_is_no_clean_change() {
        let told = |answers: &[&str]| {
            let mut asked = Asked::default();
            answers.iter().for_each(|answer| asked.answered(answer));
            asked.changed_cleanly()
        };
        assert!(told(&["a", "a", "b", "b"]));
        assert!(!told(&["a", "b", "a"]));
    }
}
