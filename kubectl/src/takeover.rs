//! (pure) What a declared identity does to the revisions of an index.

use crds::{Identity, Revision};

/// The revisions that a status names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Serving<'a> {
    /// The one that serves.
    pub active: Option<&'a str>,
    /// The one before, whose pods are kept.
    pub previous: Option<&'a str>,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// Nothing: the identity stays.
    None,
    /// The Indexer is created.
    Created(Revision),
    /// The revision that serves is declared again: a candidate is removed.
    Reverted(Revision),
    /// The revision before is declared again: clients are moved back at once.
    Back(Revision),
    /// A candidate is built beside what serves.
    BlueGreen {
        /// It.
        candidate: Revision,
        /// Whether it begins with a copy of the data.
        seeded: bool,
    },
    /// The module continues with the same data.
    InPlace(Revision),
    /// The operator does not do it, for this reason.
    Refused(String),
}

/// What happens when this identity is declared instead of the one before.
#[must_use]
pub fn takeover(
    before: Option<&Identity>,
    after: &Identity,
    serving: Serving<'_>,
    in_place: bool,
    seeded: bool,
) -> Takeover {
    let revision = after.revision();
    if before == Some(after) {
        return Takeover::None;
    }
    if serving.active == Some(revision.as_str()) {
        return Takeover::Reverted(revision);
    }
    if serving.previous == Some(revision.as_str()) {
        return Takeover::Back(revision);
    }
    let difference = before.and_then(|before| before.differs_beyond_module(after));
    match difference.filter(|_| in_place || seeded) {
        Some(difference) => Takeover::Refused(format!(
            "its data cannot be continued: {} is {} and would be {}; {}",
            difference.field,
            difference.found,
            difference.wanted,
            if in_place {
                "declare rollout.strategy BlueGreen"
            } else {
                "remove rollout.seed"
            }
        )),
        None if in_place => Takeover::InPlace(revision),
        None => Takeover::BlueGreen {
            candidate: revision,
            seeded,
        },
    }
}

impl Takeover {
    /// In a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::None => "the identity stays, so there is no rollout".into(),
            Self::Created(revision) => format!("it does not exist yet: it is created, with revision {revision}"),
            Self::Reverted(revision) => {
                format!("revision {revision} is declared again, which serves: a candidate is removed")
            }
            Self::Back(revision) => {
                format!("revision {revision} is declared again, which served before: clients are moved back at once")
            }
            Self::BlueGreen { candidate, seeded } => {
                let from = if *seeded {
                    "a copy of its data"
                } else {
                    "chain.startHeight"
                };
                format!(
                    "a new identity: revision {candidate} is built beside the one that serves, from {from} on, \
                     and clients are moved when it has caught up"
                )
            }
            Self::InPlace(revision) => {
                format!("a new identity: revision {revision} continues with the same data at the next height")
            }
            Self::Refused(why) => format!("a new identity, which the operator refuses: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crds::Network;

    use super::*;

    fn identity(module: &str, memory_limit_bytes: u64) -> Identity {
        Identity {
            module_sha256: module.repeat(32),
            network: Network::Regtest,
            start_height: 0,
            memory_limit_bytes,
        }
    }

    #[test]
    fn each_declaration_has_its_consequence() {
        let (old, new, smaller) = (identity("ab", 2), identity("cd", 2), identity("cd", 1));
        let revision = new.revision();
        let serving = Serving {
            active: Some("0123456789"),
            previous: None,
        };
        let name = Some(revision.as_str());
        let (active, previous) = (
            Serving {
                active: name,
                ..serving
            },
            Serving {
                previous: name,
                ..serving
            },
        );
        let candidate = |seeded| Takeover::BlueGreen {
            candidate: revision.clone(),
            seeded,
        };
        let of = |after, serving, in_place, seeded| takeover(Some(&old), after, serving, in_place, seeded);
        assert_eq!(of(&old, serving, false, false), Takeover::None);
        assert_eq!(of(&new, serving, false, false), candidate(false));
        assert_eq!(of(&new, serving, false, true), candidate(true));
        assert_eq!(of(&new, serving, true, false), Takeover::InPlace(revision.clone()));
        assert_eq!(of(&new, active, false, false), Takeover::Reverted(revision.clone()));
        assert_eq!(of(&new, previous, false, false), Takeover::Back(revision.clone()));
        let words = of(&smaller, serving, true, false).words();
        assert!(
            words.contains("memory.limit is 2 bytes and would be 1 bytes; declare rollout.strategy"),
            "{words}"
        );
        assert!(matches!(of(&smaller, serving, false, true), Takeover::Refused(_)));
        assert!(matches!(
            of(&smaller, serving, false, false),
            Takeover::BlueGreen { .. }
        ));
    }
}
