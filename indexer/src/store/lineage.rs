//! Which modules built the data of a store, and which module may continue it. Decides only; [`super::origin`] reads
//! and writes.

use crds::{Identity, LINEAGE_STEPS_MAX, LineageStep, pod::Config};
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use crate::{chain::Height, state::Digest};

/// Digits of a module's SHA-256 that tell it from any other.
const MODULE_DIGITS: usize = 12;

/// The modules that built the data of a store, oldest first. Their identities differ in the module only.
///
/// Of the heights at which modules take over, all are above the one before, and at most the last one is above the tip:
/// then it is the next block's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Told", into = "Told")]
pub struct Lineage {
    root: Identity,
    later: Vec<Step>,
}

/// A lineage as one pod tells it to another.
#[derive(Serialize, Deserialize)]
struct Told {
    root: Identity,
    later: Vec<Step>,
}

/// A module that went on with the data of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// The first height it ran for, or will.
    pub from_height: Height,
    /// What the index is from there on.
    pub identity: Identity,
}

/// What may be done with data of other modules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// See [`Config::in_place`].
    pub in_place: bool,
    /// See [`Config::in_place_at`].
    pub at: Option<Height>,
}

/// What makes a store one that a module can continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Blocks from this height on are undone first.
    pub(super) undone_from: Option<Height>,
    /// What the lineage is afterwards.
    pub(super) lineage: Lineage,
}

impl From<&Config> for Terms {
    fn from(config: &Config) -> Self {
        Self {
            in_place: config.in_place,
            at: config.in_place_at.map(Height),
        }
    }
}

impl From<Lineage> for Told {
    fn from(Lineage { root, later }: Lineage) -> Self {
        Self { root, later }
    }
}

impl TryFrom<Told> for Lineage {
    type Error = String;

    fn try_from(Told { root, later }: Told) -> Result<Self, String> {
        Self::of(root, later)
    }
}

impl Lineage {
    /// That of data which one module builds alone.
    #[must_use]
    pub fn new(root: Identity) -> Self {
        Self {
            root,
            later: Vec::new(),
        }
    }

    /// That of data which others went on with.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn of(root: Identity, later: Vec<Step>) -> Result<Self, String> {
        let mut before = Height(root.start_height);
        for Step { from_height, identity } in &later {
            if *from_height <= before {
                return Err(format!(
                    "a module takes over at block {from_height}, not above {before}"
                ));
            }
            if let Some(other) = root.differs_beyond_module(identity) {
                return Err(format!("two of its modules are of another {}", other.field));
            }
            before = *from_height;
        }
        Ok(Self { root, later })
    }

    /// What the index was at first.
    #[must_use]
    pub fn root(&self) -> &Identity {
        &self.root
    }

    /// The modules that went on with it, oldest first.
    #[must_use]
    pub fn later(&self) -> &[Step] {
        &self.later
    }

    /// What the index is at its tip, or from the next block on.
    #[must_use]
    pub fn newest(&self) -> &Identity {
        self.later.last().map_or(&self.root, |step| &step.identity)
    }

    /// Height of the first block.
    #[must_use]
    pub fn start(&self) -> Height {
        Height(self.root.start_height)
    }

    /// What the digest of a block is over, given that of the block before: where a module takes over, it is mixed in.
    #[must_use]
    pub fn chained(&self, before: Digest, height: Height) -> Digest {
        match self.later.iter().find(|step| step.from_height == height) {
            Some(step) => before.taken_over(step.identity.hash()),
            None => before,
        }
    }

    /// As a status shows it: nothing while there was one module only.
    #[must_use]
    pub fn shown(&self) -> Vec<LineageStep> {
        if self.later.is_empty() {
            return Vec::new();
        }
        let root = (self.start(), &self.root);
        let all = std::iter::once(root).chain(self.later.iter().map(|step| (step.from_height, &step.identity)));
        let steps = all.map(|(from, identity)| LineageStep {
            from_height: from.0,
            module_sha256: identity.module_sha256.clone(),
        });
        steps
            .skip((self.later.len() + 1).saturating_sub(LINEAGE_STEPS_MAX))
            .collect()
    }

    /// With another module from a height on. What was to begin there or above it never does.
    #[must_use]
    pub(super) fn appended(&self, from: Height, identity: &Identity) -> Self {
        if from <= self.start() {
            return Self::new(identity.clone());
        }
        let mut kept = self.below(from);
        if kept.newest() != identity {
            kept.later.push(Step {
                from_height: from,
                identity: identity.clone(),
            });
        }
        kept
    }

    /// After every block from `next` on was undone: the newest module continues from there, whatever the others had done.
    #[must_use]
    pub(super) fn unwound(&self, next: Height) -> Self {
        match self.later.last() {
            Some(newest) if newest.from_height > next => self.appended(next, &newest.identity),
            _ => self.clone(),
        }
    }

    /// The modules that took over below a height.
    fn below(&self, height: Height) -> Self {
        let later = self.later.iter().filter(|step| step.from_height < height);
        Self {
            root: self.root.clone(),
            later: later.cloned().collect(),
        }
    }

    /// What must be done for `wanted` to go on from the tip, or from where [`Terms`] say. `oldest` is the lowest block
    /// that can be undone.
    pub(super) fn plan(
        &self,
        tip: Option<Height>,
        oldest: Option<Height>,
        wanted: &Identity,
        terms: Terms,
    ) -> Result<Plan, Refusal> {
        let keep = |lineage| Plan {
            undone_from: None,
            lineage,
        };
        let Some(tip) = tip else {
            may_begin(wanted, terms)?;
            return Ok(keep(Self::new(wanted.clone())));
        };
        if self.newest() == wanted {
            return Ok(keep(self.clone()));
        }
        // One that was to go on, and of which there is no block yet, leaves nothing behind.
        let begun = self.below(tip.next());
        if begun.newest() == wanted {
            return Ok(keep(begun));
        }
        if !terms.in_place {
            return Err(Refusal::NotInPlace);
        }
        if let Some(other) = self.root.differs_beyond_module(wanted) {
            return Err(other.into());
        }
        let (from, lineage) = match begun.revert_to(wanted) {
            Some(reverted) => reverted,
            None => {
                let from = terms.at.unwrap_or(tip.next());
                (from, begun.appended(from, wanted))
            }
        };
        if from > tip.next() {
            return Err(Refusal::Short { tip, at: from });
        }
        if from == tip.next() {
            return Ok(keep(lineage));
        }
        if oldest.is_none_or(|oldest| oldest > from) {
            return Err(Refusal::TooDeep {
                lowest: from,
                oldest,
                tip,
                newest: begun.newest().module_sha256.chars().take(MODULE_DIGITS).collect(),
            });
        }
        Ok(Plan {
            undone_from: Some(from),
            lineage,
        })
    }

    /// Where the module that followed a former one took over, and the lineage without it and those after it.
    fn revert_to(&self, wanted: &Identity) -> Option<(Height, Self)> {
        let was = |step: &Step| step.identity == *wanted;
        let kept = match self.later.iter().rposition(was) {
            Some(at) => at + 1,
            None if self.root == *wanted => 0,
            None => return None,
        };
        let from = self.later.get(kept)?.from_height;
        Some((from, self.below(from)))
    }
}

/// Whether an empty store may be begun with a module.
pub(super) fn may_begin(wanted: &Identity, terms: Terms) -> Result<(), Refusal> {
    match terms.at {
        Some(at) if at > Height(wanted.start_height) => Err(Refusal::Empty { at }),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "lineage/tests.rs"]
mod tests;
