//! (I/O) Passing on to pods what annotations request.

use std::time::Instant;

use crds::IndexerStatus;
use futures::future::join_all;

use super::{carried::Carried, context::Context};
use crate::{
    facts::Observed, objects::Key, pod_client::NotRequested, refresh, rollout::Decision, snapshot_request,
    validate::ValidIndexer,
};

/// Asks pods for what is requested and not carried out, as far as they are due. Notes when the next ones are.
pub(super) async fn pass_on(
    valid: &ValidIndexer,
    decision: &Decision,
    observed: &Observed,
    last_status: Option<&IndexerStatus>,
    key: &Key,
    context: &Context,
    carried: &mut Carried,
) {
    let (refreshes, snapshots) = (&context.ledger.requests, &context.ledger.snapshot_requests);
    match refresh::pending(valid, last_status) {
        Some(request) => request_refresh(request, decision, observed, key, context).await, // [I/O]
        None => refreshes.forget(key),
    }
    match snapshot_request::pending(valid, last_status) {
        Some(request) => request_snapshot(request, valid, decision, observed, key, context).await, // [I/O]
        None => snapshots.forget(key),
    }
    carried.overdue = refreshes.overdue(key);
    carried.snapshot_refused = snapshots.refused(key);
    let again = [refreshes, snapshots].map(|requests| requests.again_after(key, Instant::now()));
    carried.again_after = again.into_iter().flatten().min();
}

/// Asks the pods that have not made a fresh instance and are due. At most 16 at the same time, as the schema bounds
/// replicas.
async fn request_refresh(request: &str, decision: &Decision, observed: &Observed, key: &Key, context: &Context) {
    let waiting = refresh::targets(&decision.serving, observed, request);
    let due = context.ledger.requests.take_due(key, request, &waiting, Instant::now());
    let asked = due.into_iter().map(|target| async move {
        if let Err(why) = context.pods.request_refresh(target, request).await {
            tracing::warn!(indexer = %key, pod = target.pod, %why, "could not request a refresh; it is requested again");
        }
    });
    join_all(asked).await;
}

/// Asks the pod that publishes, if it is due. It is asked again while it uploads, which it ignores.
async fn request_snapshot(
    request: &str,
    valid: &ValidIndexer,
    decision: &Decision,
    observed: &Observed,
    key: &Key,
    context: &Context,
) {
    let requests = &context.ledger.snapshot_requests;
    let waiting = snapshot_request::target(valid, &decision.serving, observed, request);
    let waiting: Vec<_> = waiting.into_iter().collect();
    for target in requests.take_due(key, request, &waiting, Instant::now()) {
        let answer = context.pods.request_snapshot(target, request).await;
        if let Err(why) = &answer {
            tracing::warn!(indexer = %key, pod = target.pod, %why, "could not request a snapshot; it is requested again");
        }
        requests.note_refusal(key, answer.err().and_then(NotRequested::refusal));
    }
}
