//! (pure) Heights as a person writes them: `latest`, `840000`, `0-840000/10000`, several by commas.

use std::{collections::BTreeSet, str::FromStr};

/// More are no sample any more.
const HEIGHTS_MAX: usize = 1_000_000;

/// A choice of heights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heights {
    /// The newest height that both have.
    Latest,
    /// From one height to another, both included, with a step.
    Range {
        /// The first.
        from: u32,
        /// None is above it.
        to: u32,
        /// At least 1.
        step: u32,
    },
}

impl FromStr for Heights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let number = |text: &str| text.parse::<u32>().map_err(|error| format!("{text}: {error}"));
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, number(step)?),
            None => (text, 1),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from)?, number(to)?),
            None => (number(range)?, number(range)?),
        };
        if step == 0 {
            return Err("a step is at least 1".to_owned());
        }
        if from > to {
            return Err(format!("{from} is above {to}"));
        }
        if (to - from) / step >= u32::try_from(HEIGHTS_MAX).unwrap_or(u32::MAX) {
            return Err(format!("more than {HEIGHTS_MAX} heights: use a larger step"));
        }
        Ok(Self::Range { from, to, step })
    }
}

/// All of them in order, none above the newest height that both have.
#[must_use]
pub fn chosen(choices: &[Heights], newest: u32) -> Vec<u32> {
    let mut all = BTreeSet::new();
    for choice in choices {
        match *choice {
            Heights::Latest => {
                all.insert(newest);
            }
            Heights::Range { from, to, step } => {
                let step = usize::try_from(step).unwrap_or(usize::MAX);
                all.extend((from..=to.min(newest)).step_by(step));
            }
        }
    }
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_numbers_ranges_and_the_newest_one_of_both() {
        let read = |text: &str| text.split(',').map(str::parse).collect::<Result<Vec<Heights>, _>>();
        let chosen = |text: &str| chosen(&read(text).unwrap(), 100);
        assert_eq!(chosen("latest"), [100]);
        assert_eq!(chosen("7,3,7"), [3, 7]);
        assert_eq!(chosen("90-200/6,latest"), [90, 96, 100]);
        assert!(chosen("101,200-300").is_empty(), "neither has them");
        for (text, why) in [
            ("", "invalid digit"),
            ("a", "invalid digit"),
            ("7-", "empty"),
            ("7-3", "7 is above 3"),
            ("0-9/0", "at least 1"),
            ("0-2000000000", "a larger step"),
            ("5000000000", "too large"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why) || text.is_empty(), "{text}: {error}");
        }
    }
}
