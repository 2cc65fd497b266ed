//! (pure) A refresh requested by annotation: which pods still have to carry it out, and when it is done.

use crds::{IndexerStatus, Revision};

use crate::{
    facts::{Observed, Target},
    validate::ValidIndexer,
};

/// The request that every pod must carry out; none if there is none, or if it was handled before.
#[must_use]
pub fn pending<'a>(valid: &'a ValidIndexer, last_status: Option<&IndexerStatus>) -> Option<&'a str> {
    let handled = last_status.and_then(|status| status.last_handled_refresh_at.as_deref());
    valid
        .refresh_request
        .as_deref()
        .filter(|request| Some(*request) != handled)
}

/// The running pods that have not carried out a request.
#[must_use]
pub fn targets<'a>(serving: &Revision, observed: &'a Observed, request: &str) -> Vec<&'a Target> {
    let pods = observed.pods_of(serving);
    let waiting = pods.filter(|pod| {
        let last = pod
            .sample
            .answer()
            .and_then(|status| status.last_refresh_request.as_deref());
        last != Some(request)
    });
    waiting.filter_map(|pod| pod.target.as_ref()).collect()
}

/// The value of `status.lastHandledRefreshAt`: the newest request that every desired pod has carried out.
#[must_use]
pub fn handled(
    valid: &ValidIndexer,
    serving: &Revision,
    observed: &Observed,
    last_status: Option<&IndexerStatus>,
) -> Option<String> {
    let before = last_status.and_then(|status| status.last_handled_refresh_at.clone());
    let Some(request) = pending(valid, last_status) else {
        return before;
    };
    let acted = |status: &&crds::pod::Status| status.last_refresh_request.as_deref() == Some(request);
    let done = observed.answers_of(serving).filter(acted).count();
    let wanted = usize::try_from(valid.replicas).unwrap_or(0);
    if done > 0 && done >= wanted {
        Some(request.to_owned())
    } else {
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::Sample,
        fixtures::{answering_pod, following, valid},
    };

    fn observed(echoes: &[Option<&str>]) -> Observed {
        let pods = echoes.iter().enumerate().map(|(i, echo)| {
            let mut status = following(100);
            status.last_refresh_request = echo.map(str::to_owned);
            let mut pod = answering_pod(&format!("one-{i}"));
            pod.sample = Sample::Answer(Box::new(status));
            pod
        });
        Observed {
            pods: pods.collect(),
            ..Observed::default()
        }
    }

    #[test]
    fn a_request_is_handled_once_every_pod_echoes_it() {
        let mut valid = valid();
        valid.replicas = 2;
        valid.refresh_request = Some("b".into());
        let last_status = IndexerStatus {
            last_handled_refresh_at: Some("a".into()),
            ..IndexerStatus::default()
        };
        let cases: [(&[Option<&str>], usize, &str); 4] = [
            (&[], 0, "a"),
            (&[None, Some("a")], 2, "a"),
            (&[Some("b"), Some("a")], 1, "a"),
            (&[Some("b"), Some("b")], 0, "b"),
        ];
        for (echoes, asked, expected) in cases {
            let observed = observed(echoes);
            assert_eq!(targets(&valid.revision, &observed, "b").len(), asked, "{echoes:?}");
            assert_eq!(
                handled(&valid, &valid.revision, &observed, Some(&last_status)).as_deref(),
                Some(expected),
                "{echoes:?}"
            );
        }
    }

    #[test]
    fn a_handled_request_is_not_made_again_by_a_pod_that_restarted() {
        let mut valid = valid();
        valid.refresh_request = Some("a".into());
        let last_status = IndexerStatus {
            last_handled_refresh_at: Some("a".into()),
            ..IndexerStatus::default()
        };
        assert_eq!(pending(&valid, Some(&last_status)), None);
        assert_eq!(
            handled(&valid, &valid.revision, &observed(&[None]), Some(&last_status)).as_deref(),
            Some("a")
        );
    }
}
