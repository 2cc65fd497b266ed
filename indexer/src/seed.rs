//! Fills an empty store with a copy of another pod's: what is offered, what is accepted, and the format of the stream.
//!
//! ```text
//! POST /checkpoint, Held as JSON ─►  MAGIC ‖ length u32 ‖ Offer as JSON ‖ file* ‖ 0
//!                            file =  length of its name u8 ‖ name ‖ length u64 ‖ kind u8 ‖ bytes, unless held ‖ BLAKE3
//! ```
//!
//! Numbers are big-endian. What ends before the closing zero was cut off: the files that came are [`held`], and the next
//! request names them. [`serve`] sends it, [`fetch`] receives it, and [`fill`] makes a store of it, which is used only
//! after all of its digests were recomputed.

pub mod fetch;
pub mod fill;
pub mod held;
pub mod serve;

use crds::{Identity, IdentityDifference};
use serde::{Deserialize, Serialize};

use crate::{chain::Height, store::Lineage};

/// The first bytes of an answer.
const MAGIC: &[u8] = b"shrewd copy v2\n";
/// A file whose bytes follow.
const SENT: u8 = 0;
/// A file that the receiver has.
const HELD: u8 = 1;
/// An offer has a few hundred bytes for each module of the lineage.
const OFFER_BYTES_MAX: usize = 1 << 20;
/// Bytes of a file that travel together: enough to keep a network busy, little enough to hold several.
const PIECE_BYTES: usize = 256 << 10;

/// What a pod has to give.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// The modules that built it.
    pub lineage: Lineage,
    /// Its last block.
    pub height: Height,
    /// Bytes of all its files.
    pub bytes: u64,
}

/// What is taken over of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// All of it, with its lineage.
    All,
    /// The blocks up to this height; the wanted module continues after it.
    UpTo(Height),
}

/// Why an offer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Each field is explained by the text it appears in.
pub enum Refusal {
    /// Another index.
    #[error(
        "its {} is {}, not {}, and only the module may differ: leave out rollout.seed, or declare {} again",
        .0.field, .0.found, .0.wanted, .0.found
    )]
    Field(Box<IdentityDifference>),
    /// Nothing would be taken over.
    #[error("it begins at block {start}, and blocks up to {at} are wanted: raise rollout.seed.fromActive.atHeight")]
    BelowStart { start: Height, at: Height },
    /// It is not that far.
    #[error("it is at block {height}, and blocks up to {at} are wanted")]
    TooShort { height: Height, at: Height },
    /// A replica that runs another module still.
    #[error("its module is {found}, not {wanted}")]
    OtherModule { found: String, wanted: String },
}

impl Refusal {
    /// Whether the same pod may be taken from later.
    #[must_use]
    pub fn is_for_now(&self) -> bool {
        match self {
            Self::Field(_) | Self::BelowStart { .. } => false,
            Self::TooShort { .. } | Self::OtherModule { .. } => true,
        }
    }
}

impl Offer {
    /// What `wanted` takes of it, where `at` is the last height of another module's blocks that it takes.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn judge(&self, wanted: &Identity, at: Option<Height>) -> Result<Take, Refusal> {
        if let Some(other) = self.lineage.root().differs_beyond_module(wanted) {
            return Err(Refusal::Field(Box::new(other)));
        }
        let newest = self.lineage.newest();
        let Some(at) = at else {
            return match newest == wanted {
                true => Ok(Take::All),
                false => Err(Refusal::OtherModule {
                    found: newest.module_sha256.clone(),
                    wanted: wanted.module_sha256.clone(),
                }),
            };
        };
        let start = self.lineage.start();
        if at < start {
            Err(Refusal::BelowStart { start, at })
        } else if self.height < at {
            let height = self.height;
            Err(Refusal::TooShort { height, at })
        } else if newest == wanted {
            Ok(Take::All)
        } else {
            Ok(Take::UpTo(at))
        }
    }
}

#[cfg(test)]
mod tests {
    use crds::Network;

    use super::*;
    use crate::store::Step;

    fn module(name: &str) -> Identity {
        Identity {
            module_sha256: name.repeat(64),
            network: Network::Regtest,
            start_height: 5,
            memory_limit_bytes: 1,
        }
    }

    fn offer(height: u32, later: &[(u32, &str)]) -> Offer {
        let later = later.iter().map(|(from, name)| Step {
            from_height: Height(*from),
            identity: module(name),
        });
        Offer {
            lineage: Lineage::of(module("a"), later.collect()).unwrap(),
            height: Height(height),
            bytes: 0,
        }
    }

    #[test]
    fn what_is_taken_of_an_offer() {
        type Later<'a> = &'a [(u32, &'a str)];
        let b20 = [(20, "b")];
        let cases: [(u32, Later<'_>, &str, Option<u32>, &str); 10] = [
            (30, &[], "b", Some(20), "UpTo(Height(20))"),
            (20, &[], "b", Some(20), "UpTo(Height(20))"),
            (19, &[], "b", Some(20), "TooShort"),
            (30, &[], "b", Some(4), "BelowStart"),
            (30, &[], "b", None, "OtherModule"),
            // Of a pod with the same module all is taken, wherever that took over.
            (30, &b20, "b", None, "All"),
            (30, &b20, "b", Some(19), "All"),
            (18, &[], "a", None, "All"),
            (30, &b20, "c", Some(25), "UpTo(Height(25))"),
            (30, &b20, "a", Some(25), "UpTo(Height(25))"),
        ];
        for (height, later, wanted, at, expected) in cases {
            let judged = offer(height, later).judge(&module(wanted), at.map(Height));
            let words = match judged {
                Ok(take) => format!("{take:?}"),
                Err(refusal) => format!("{refusal:?}").split(' ').next().unwrap().into(),
            };
            assert_eq!(words, expected, "{height} {later:?} {wanted} {at:?}");
        }
    }

    #[test]
    fn only_the_module_may_differ() {
        let wanted = Identity {
            memory_limit_bytes: 2,
            ..module("b")
        };
        let refusal = offer(30, &[]).judge(&wanted, Some(Height(20))).unwrap_err();
        assert!(!refusal.is_for_now());
        let text = refusal.to_string();
        assert!(text.contains("memory.limit is 1 bytes, not 2 bytes"), "{text}");
    }

    #[test]
    fn an_offer_survives_its_way() {
        let offer = offer(30, &[(20, "b")]);
        let json = serde_json::to_string(&offer).unwrap();
        let again: Offer = serde_json::from_str(&json).unwrap();
        assert_eq!((again.lineage, again.height), (offer.lineage, offer.height));
        let spoiled = json.replace("\"fromHeight\":20", "\"fromHeight\":2");
        assert!(serde_json::from_str::<Offer>(&spoiled).is_err());
    }
}
