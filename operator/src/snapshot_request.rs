//! (pure) A snapshot requested by annotation: which pod still has to publish it, and when it is done.

use crds::{IndexerStatus, Revision};

use crate::{
    facts::{Observed, ObservedPod, Target},
    names,
    validate::ValidIndexer,
};

/// The request that is to be carried out; none if there is none, if it was handled before, or if no snapshots are
/// declared.
#[must_use]
pub fn pending<'a>(valid: &'a ValidIndexer, last_status: Option<&IndexerStatus>) -> Option<&'a str> {
    let handled = last_status.and_then(|status| status.last_handled_snapshot_at.as_deref());
    let request = valid.snapshot_request.as_deref();
    request.filter(|request| valid.snapshots.is_some() && Some(*request) != handled)
}

/// The pod to ask: the one that publishes, if it runs and has not carried the request out.
#[must_use]
pub fn target<'a>(
    valid: &ValidIndexer,
    serving: &Revision,
    observed: &'a Observed,
    request: &str,
) -> Option<&'a Target> {
    let pod = publisher(valid, serving, observed)?;
    pod.target.as_ref().filter(|_| carried_out(pod) != Some(request))
}

/// The value of `status.lastHandledSnapshotAt`: the newest request for which a snapshot was published.
#[must_use]
pub fn handled(
    valid: &ValidIndexer,
    serving: &Revision,
    observed: &Observed,
    last_status: Option<&IndexerStatus>,
) -> Option<String> {
    let before = || last_status.and_then(|status| status.last_handled_snapshot_at.clone());
    let done = pending(valid, last_status).filter(|request| {
        let publisher = publisher(valid, serving, observed);
        publisher.and_then(carried_out) == Some(*request)
    });
    done.map(str::to_owned).or_else(before)
}

fn publisher<'a>(valid: &ValidIndexer, serving: &Revision, observed: &'a Observed) -> Option<&'a ObservedPod> {
    let name = names::publisher(&valid.name, serving);
    observed.pods.iter().find(|pod| pod.name == name)
}

/// The last request that a pod has carried out. Versions that know no requests for snapshots name none.
fn carried_out(pod: &ObservedPod) -> Option<&str> {
    let status = pod.sample.answer()?;
    status.snapshots.as_ref()?.last_request.as_deref()
}

#[cfg(test)]
mod tests {
    use crds::pod::{ObjectStorage, Publishing, Snapshots};

    use super::*;
    use crate::{
        facts::Sample,
        fixtures::{answering_pod, following, valid},
    };

    fn publishing() -> ValidIndexer {
        let mut valid = valid();
        valid.snapshot_request = Some("b".into());
        valid.snapshots = Some(Publishing {
            url: "s3://bucket/prefix".into(),
            every_blocks: 10,
            keep: 1,
            bytes_per_second: None,
            host: None,
            serves_file: None,
            storage: ObjectStorage::default(),
        });
        valid
    }

    fn handled_before(request: &str) -> IndexerStatus {
        IndexerStatus {
            last_handled_snapshot_at: Some(request.into()),
            ..IndexerStatus::default()
        }
    }

    /// Two pods, of which the first one publishes and reports this.
    fn observed(valid: &ValidIndexer, snapshots: Option<Snapshots>) -> Observed {
        let set = names::of_revision(&valid.name, &valid.revision);
        let mut pods = [0, 1].map(|ordinal| answering_pod(&names::pod(&set, ordinal)));
        let mut status = following(100);
        status.snapshots = snapshots;
        pods[0].sample = Sample::Answer(Box::new(status));
        Observed {
            pods: pods.into(),
            ..Observed::default()
        }
    }

    #[test]
    fn the_pod_that_publishes_is_asked_until_it_echoes_the_request() {
        let valid = publishing();
        let last = handled_before("a");
        assert_eq!(pending(&valid, Some(&last)), Some("b"));
        let said = |request: Option<&str>| {
            Some(Snapshots {
                last_request: request.map(str::to_owned),
                ..Snapshots::default()
            })
        };
        for (snapshots, is_asked, expected) in [
            (None, true, "a"),
            (said(None), true, "a"),
            (said(Some("a")), true, "a"),
            (said(Some("b")), false, "b"),
        ] {
            let observed = observed(&valid, snapshots);
            let asked = target(&valid, &valid.revision, &observed, "b").map(|target| &target.pod);
            let publisher = names::publisher(&valid.name, &valid.revision);
            assert_eq!(asked, is_asked.then_some(&publisher));
            let handled = handled(&valid, &valid.revision, &observed, Some(&last));
            assert_eq!(handled.as_deref(), Some(expected));
        }
    }

    #[test]
    fn nobody_is_asked_while_the_pod_that_publishes_is_not_there() {
        let valid = publishing();
        let mut observed = observed(&valid, None);
        observed.pods.remove(0);
        assert_eq!(target(&valid, &valid.revision, &observed, "b"), None);
        assert_eq!(handled(&valid, &valid.revision, &observed, None), None);
    }

    #[test]
    fn a_request_does_not_wait_where_it_was_handled_or_nothing_is_published() {
        let mut valid = publishing();
        let last = handled_before("b");
        assert_eq!(pending(&valid, Some(&last)), None);
        let observed = observed(&valid, None);
        let handled = handled(&valid, &valid.revision, &observed, Some(&last));
        assert_eq!(handled.as_deref(), Some("b"), "a pod that restarted is not asked again");
        valid.snapshots = None;
        assert_eq!(pending(&valid, None), None);
    }
}
