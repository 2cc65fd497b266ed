//! (pure) A refresh a person asked for by annotation: who still has to act on it, and when it is done.

use crds::{IndexerStatus, Revision};
use kube::core::ObjectMeta;

use crate::{names, observe::Observed, sampler::Target, validate::ValidIndexer};

/// The longest refresh request a pod takes, in bytes (see `crds::pod::RefreshRequest`).
pub const REQUEST_BYTES_MAX: usize = 256;

/// A request that no pod takes. It is ignored: an annotation must not stop what the spec asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the annotation {} has {bytes} bytes and is ignored; at most {REQUEST_BYTES_MAX} are taken",
    names::ANNOTATION_REFRESH
)]
pub struct TooLong {
    bytes: usize,
}

/// The request in the annotations of an Indexer; an empty one is none.
///
/// # Errors
/// If it is too long.
pub fn requested(meta: &ObjectMeta) -> Result<Option<String>, TooLong> {
    let annotations = meta.annotations.as_ref();
    let request = annotations.and_then(|all| all.get(names::ANNOTATION_REFRESH));
    match request.filter(|id| !id.is_empty()) {
        Some(id) if id.len() > REQUEST_BYTES_MAX => Err(TooLong { bytes: id.len() }),
        request => Ok(request.cloned()),
    }
}

/// The request every pod must act on; none if there is none, or if it was handled before.
#[must_use]
pub fn pending<'a>(valid: &'a ValidIndexer, previous: Option<&IndexerStatus>) -> Option<&'a str> {
    let handled = previous.and_then(|status| status.last_handled_refresh_at.as_deref());
    valid
        .refresh_request
        .as_deref()
        .filter(|request| Some(*request) != handled)
}

/// The running pods that have not acted on a request.
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

/// The value of `status.lastHandledRefreshAt`: the newest request that every wanted pod has acted on.
#[must_use]
pub fn handled(
    valid: &ValidIndexer,
    serving: &Revision,
    observed: &Observed,
    previous: Option<&IndexerStatus>,
) -> Option<String> {
    let before = previous.and_then(|status| status.last_handled_refresh_at.clone());
    let Some(request) = pending(valid, previous) else {
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
        fixtures::{answering_pod, following, indexer_asking_for_refresh, valid},
        sampler::Sample,
    };

    #[test]
    fn an_empty_request_is_none_and_a_long_one_is_refused() {
        let long = "x".repeat(256);
        let cases = [
            (String::new(), Ok(None)),
            (long.clone(), Ok(Some(long.clone()))),
            (format!("{long}x"), Err(TooLong { bytes: 257 })),
        ];
        for (id, expected) in cases {
            let meta = indexer_asking_for_refresh(&id).metadata;
            assert_eq!(requested(&meta), expected, "{} bytes", id.len());
        }
    }

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
        let previous = IndexerStatus {
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
                handled(&valid, &valid.revision, &observed, Some(&previous)).as_deref(),
                Some(expected),
                "{echoes:?}"
            );
        }
    }

    #[test]
    fn a_handled_request_is_not_made_again_by_a_pod_that_restarted() {
        let mut valid = valid();
        valid.refresh_request = Some("a".into());
        let previous = IndexerStatus {
            last_handled_refresh_at: Some("a".into()),
            ..IndexerStatus::default()
        };
        assert_eq!(pending(&valid, Some(&previous)), None);
        assert_eq!(
            handled(&valid, &valid.revision, &observed(&[None]), Some(&previous)).as_deref(),
            Some("a")
        );
    }
}
