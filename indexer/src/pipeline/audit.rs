//! Audits: some of the blocks that a kept instance has run are run on a fresh one too. If the two write different things,
//! the guest carries state from block to block, and what it writes depends on when it was last refreshed: two replicas
//! would diverge. An audit finds that before the block is committed.

use std::fmt::Write as _;

use crds::{RefreshPolicy, pod::FaultClass};

use super::shared::{Settings, Shared};
use crate::{
    chain::{Block, Height},
    fault::Fault,
    guest::Indexing,
    state::{State, WriteSet, row_order},
};

/// How much of a key or a value is shown.
const SHOWN_BYTES_MAX: usize = 64;
/// The cure, as part of the message.
const ADVICE: &str = "the guest carries state from block to block: set memory.refresh: EveryBlock, and index again";

/// Whether the block of this height is audited. The height decides, so that replicas audit the same blocks. With a fresh
/// instance for every block there is nothing to compare.
pub(super) fn is_due(settings: &Settings, height: Height) -> bool {
    settings.refresh == RefreshPolicy::OnThreshold
        && settings.audit_every > 0
        && height.0.is_multiple_of(settings.audit_every)
}

/// Runs a block on a fresh instance and compares what it writes with what the kept one wrote. `state` must read what the
/// first run did.
///
/// # Errors
/// Of class `Nondeterminism` when they differ. Where this machine cannot run a second guest, the audit is skipped.
pub(super) fn audit(
    shared: &Shared,
    guest: &Indexing,
    block: &Block,
    state: Box<dyn State>,
    kept: &WriteSet,
) -> Result<(), Fault> {
    let height = block.at.height;
    let fresh = guest.run_apart(height, block.bytes.clone(), state, shared.control.stop_flag());
    let found = match fresh {
        Ok(fresh) => difference(kept, &fresh),
        Err(fault) if matches!(fault.class, FaultClass::Guest | FaultClass::Limit) => Some(format!(
            "a fresh instance failed the block, the kept one did not: {}",
            fault.message
        )),
        Err(fault) => {
            tracing::warn!(%height, error = %fault, "the block could not be audited");
            shared.metrics.audited("failed");
            return Ok(());
        }
    };
    let Some(difference) = found else {
        shared.metrics.audited("equal");
        return Ok(());
    };
    shared.metrics.audited("different");
    Err(Fault {
        class: FaultClass::Nondeterminism,
        message: format!("{ADVICE}. {difference}"),
    })
}

/// The first key, in row order, for which the two differ.
fn difference(kept: &WriteSet, fresh: &WriteSet) -> Option<String> {
    let (mut kept, mut fresh) = (kept.pairs().peekable(), fresh.pairs().peekable());
    loop {
        let (key, in_kept, in_fresh) = match (kept.peek().copied(), fresh.peek().copied()) {
            (None, None) => return None,
            (Some((key, value)), None) => (key, Some(value), None),
            (None, Some((key, value))) => (key, None, Some(value)),
            (Some((k, v)), Some((f, w))) => match row_order(k, f) {
                std::cmp::Ordering::Less => (k, Some(v), None),
                std::cmp::Ordering::Greater => (f, None, Some(w)),
                std::cmp::Ordering::Equal => (k, Some(v), Some(w)),
            },
        };
        if in_kept != in_fresh {
            return Some(format!(
                "The first key that differs is {}: the kept instance wrote {}, a fresh one {}",
                shown(key),
                in_kept.map_or("nothing".into(), shown),
                in_fresh.map_or("nothing".into(), shown)
            ));
        }
        kept.next();
        fresh.next();
    }
}

fn shown(bytes: &[u8]) -> String {
    let mut text = format!("0x{}", hex::encode(&bytes[..bytes.len().min(SHOWN_BYTES_MAX)]));
    if bytes.len() > SHOWN_BYTES_MAX {
        // Into a string: cannot fail.
        let _ = write!(text, "… ({} bytes)", bytes.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&[u8], &[u8])]) -> WriteSet {
        WriteSet::from_flushed(pairs.iter().copied())
    }

    #[test]
    fn the_first_difference_in_row_order_is_named() {
        let base = set(&[(b"b", b"1"), (b"aa", b"2"), (b"z", b"3")]);
        let long = [7; 100];
        let cases: [(&str, WriteSet, Option<&str>); 7] = [
            ("equal", base.clone(), None),
            (
                "a value",
                set(&[(b"b", b"1"), (b"aa", b"9"), (b"z", b"3")]),
                Some("0x6161: the kept instance wrote 0x32, a fresh one 0x39"),
            ),
            (
                "the shorter key comes first",
                set(&[(b"b", b"1"), (b"aa", b"9"), (b"z", b"8")]),
                Some("0x7a: the kept instance wrote 0x33, a fresh one 0x38"),
            ),
            (
                "a key less",
                set(&[(b"b", b"1"), (b"aa", b"2")]),
                Some("0x7a: the kept instance wrote 0x33, a fresh one nothing"),
            ),
            (
                "a key more",
                set(&[(b"", b""), (b"b", b"1"), (b"aa", b"2"), (b"z", b"3")]),
                Some("0x: the kept instance wrote nothing, a fresh one 0x"),
            ),
            (
                "nothing",
                set(&[]),
                Some("0x62: the kept instance wrote 0x31, a fresh one nothing"),
            ),
            (
                "long ones",
                set(&[(&long, &long), (b"b", b"1"), (b"aa", b"2"), (b"z", b"3")]),
                Some("… (100 bytes): the kept instance wrote nothing, a fresh one 0x0707"),
            ),
        ];
        for (name, fresh, expected) in cases {
            let found = difference(&base, &fresh);
            match expected {
                None => assert_eq!(found, None, "{name}"),
                Some(expected) => {
                    let found = found.expect(name);
                    assert!(found.contains(expected), "{name}: {found}");
                    assert!(
                        found.len() < 600,
                        "{name}: with the advice it fits into a halt's message"
                    );
                }
            }
        }
    }
}
