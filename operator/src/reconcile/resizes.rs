//! (I/O) Giving pods other memory.

use std::time::Instant;

use k8s_openapi::{Resource, api::core::v1::Pod};

use super::context::Context;
use crate::{
    apply,
    memory::{Resize, ResizeRefusal},
    metrics::Purpose,
    objects::Key,
};

/// Resizes pods. A refusal is noted and holds nothing else up. Returns whether any was resized.
///
/// # Errors
/// With [`apply::Class::LookAgain`] if a pod changed meanwhile.
pub(super) async fn carry_out(due: &[Resize<'_>], key: &Key, context: &Context) -> Result<bool, apply::Error> {
    let mut is_any = false;
    for resize in due {
        let (pod, memory) = (&resize.pod.name, resize.memory);
        let refusal = match apply::resize(&context.client, key, resize).await {
            Ok(()) => {
                context.metrics.changed(Pod::KIND, Purpose::Resize);
                tracing::info!(indexer = %key, pod, request = memory.request, limit = memory.limit, "resized a pod");
                None
            }
            Err(error) if error.class() == apply::Class::LookAgain => return Err(error),
            Err(error) => {
                let words = error.explanation();
                tracing::warn!(indexer = %key, pod, words, "could not resize a pod; it is tried again");
                Some(ResizeRefusal {
                    pod: pod.clone(),
                    uid: resize.pod.uid.clone(),
                    memory,
                    is_impossible: error.rules_out(),
                    words,
                })
            }
        };
        is_any |= refusal.is_none();
        context.ledger.resizing.note(key, resize, refusal, Instant::now());
    }
    Ok(is_any)
}
