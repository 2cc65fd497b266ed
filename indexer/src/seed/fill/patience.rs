//! Whether it is still worth waiting for a copy that is optional.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::failure::{Error, Outlook};

/// A pod that does not answer for so long is not waited for, nor one that had a copy to give and has no address now: a
/// process starts in less, a machine that died takes longer.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// What was heard from the pods that were asked so far.
pub(super) struct Patience {
    /// Those that once said that they would have a copy: one that has no address after that may have been killed, and
    /// come back with its volume.
    promised: BTreeSet<String>,
    /// When one of them last said so.
    silent_since: Instant,
}

impl Patience {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            promised: BTreeSet::new(),
            silent_since: now,
        }
    }

    /// Whether no copy is to be had, where all pods were asked just now. `is_named`: this pod's own name is known, so
    /// that a name that is not known is none.
    pub(super) fn ends(&mut self, failures: &[(&str, Error)], is_named: bool, now: Instant) -> bool {
        for (url, error) in failures {
            if error.outlook(is_named) == Outlook::Later {
                self.promised.insert((*url).to_owned());
                self.silent_since = now;
            }
        }
        let is_long = now.saturating_duration_since(self.silent_since) >= SILENCE_MAX;
        failures.iter().all(
            |(url, error)| match error.outlook(is_named && !self.promised.contains(*url)) {
                Outlook::Nothing => true,
                Outlook::Silent => is_long,
                Outlook::Later => false,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::seed::fetch;

    const ONE: &str = "http://one-0:9090";
    const OTHER: &str = "http://one-1:9090";

    fn answers(url: &str, status: u16) -> (&str, Error) {
        let status = fetch::Error::Status {
            url: url.into(),
            status,
            words: String::new(),
        };
        (url, Error::Fetch(status))
    }

    fn has_no_name(url: &str) -> (&str, Error) {
        let no_name = fetch::Error::NoName {
            url: url.into(),
            source: io::ErrorKind::NotFound.into(),
        };
        (url, Error::Fetch(no_name))
    }

    #[test]
    fn an_index_begins_with_its_first_block_only_where_no_pod_can_have_a_copy() {
        let start = Instant::now();
        let ends = |failures: &[_], is_named, after| Patience::new(start).ends(failures, is_named, start + after);
        let (short, long) = (Duration::from_secs(1), SILENCE_MAX);
        assert!(ends(&[], true, Duration::ZERO));
        assert!(ends(&[answers(ONE, 404), answers(OTHER, 404)], true, short));
        assert!(ends(&[has_no_name(ONE), answers(OTHER, 404)], true, short));
        // Perhaps it is names that cannot be asked for.
        assert!(!ends(&[has_no_name(ONE), answers(OTHER, 404)], false, short));
        assert!(ends(&[has_no_name(ONE), answers(OTHER, 404)], false, long));
        assert!(!ends(&[answers(ONE, 503), answers(OTHER, 404)], true, long));
    }

    #[test]
    fn a_pod_that_promised_a_copy_is_waited_for_when_its_name_is_gone_but_not_forever() {
        let start = Instant::now();
        let mut patience = Patience::new(start);
        let promised = start + SILENCE_MAX;
        assert!(!patience.ends(&[answers(ONE, 503), answers(OTHER, 404)], true, promised));
        let killed = [has_no_name(ONE), answers(OTHER, 404)];
        assert!(!patience.ends(&killed, true, promised + SILENCE_MAX - Duration::from_secs(1)));
        assert!(patience.ends(&killed, true, promised + SILENCE_MAX));
    }

    #[test]
    fn a_pod_that_promised_a_copy_and_has_none_is_not_waited_for() {
        let start = Instant::now();
        let mut patience = Patience::new(start);
        assert!(!patience.ends(&[answers(ONE, 503)], true, start));
        assert!(patience.ends(&[answers(ONE, 404)], true, start));
    }
}
