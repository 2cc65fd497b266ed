//! (I/O) Whether this process looks after an Indexer. One that is nobody's is taken before anything else is written.

use crds::{IndexerStatus, OperatorStatus, conditions::events};
use kube::ResourceExt;

use super::{
    context::Context,
    error::Error,
    notices::Notice,
    publish::{Known, tell, write},
    watched::Watched,
};
use crate::{
    installation::{Whose, Why, whose, words},
    objects::Key,
};

/// Returns the status of an Indexer that this process looks after, with its name in it; none for one that it leaves alone.
///
/// # Errors
/// If it is to be taken and that fails; with [`LookAgain`](crate::apply::Class::LookAgain) if somebody else was first.
pub(super) async fn hold(
    watched: &Watched,
    known: Known,
    key: &Key,
    context: &Context,
) -> Result<Option<IndexerStatus>, Error> {
    let (ours, holdings) = (&context.operator, &context.ledger.holdings);
    let uid = watched.uid().unwrap_or_default();
    let decided = whose(
        ours,
        known.class.as_deref(),
        known.operator.as_ref(),
        holdings.has_had(key, &uid),
    );
    let status = known.status.unwrap_or_else(newborn);
    let held = match decided {
        Whose::Ours => status,
        Whose::Free => take(watched, status, key, context).await?,
        Whose::OtherClass | Whose::Other(_) => {
            leave_alone(watched, decided, known.operator.as_ref(), key, context).await;
            return Ok(None);
        }
    };
    holdings.note_held(key, uid);
    context.metrics.leaves_alone(key, None);
    Ok(Some(held))
}

/// Takes an Indexer that is still as it was seen.
async fn take(
    watched: &Watched,
    mut status: IndexerStatus,
    key: &Key,
    context: &Context,
) -> Result<IndexerStatus, Error> {
    let before = status.operator.replace(context.operator.clone());
    write(watched, &status, key, context).await?;
    let before = before.map(|before| format!("{} (version {})", before.installation, before.version));
    tracing::info!(indexer = %key, before, "this operator looks after the Indexer from now on");
    Ok(status)
}

async fn leave_alone(watched: &Watched, decided: Whose, theirs: Option<&OperatorStatus>, key: &Key, context: &Context) {
    if context.ledger.holdings.note_left(key, &decided) {
        // What is known of it ages.
        context.sampler.forget(key);
        context.history.forget(key);
        context.ledger.let_go(key);
        context.metrics.shows(key, &[]);
    }
    let (Whose::Other(why), Some(theirs)) = (decided, theirs) else {
        context.metrics.leaves_alone(key, None);
        return tell(watched, &[], context).await;
    };
    context.metrics.leaves_alone(key, Some(why));
    let notice = Notice {
        reason: match why {
            Why::Installation => events::OTHER_INSTALLATION,
            Why::Superseded => events::SUPERSEDED,
        },
        note: words(why, &context.operator, theirs, &key.namespace, &key.name),
        is_well: false,
        about: None,
    };
    if context.ledger.notices.is_news(key, &notice) {
        tracing::warn!(indexer = %key, why = notice.note, "an Indexer is left alone");
    }
    tell(watched, &[notice], context).await;
}

/// As the API server makes it, for a resource whose status is lost.
fn newborn() -> IndexerStatus {
    IndexerStatus {
        observed_generation: -1,
        ..IndexerStatus::default()
    }
}
