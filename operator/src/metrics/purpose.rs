//! (pure) Why an object is written: the word that a counter of such writes has.

/// Why an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is missing.
    Create,
    /// It differs from the plan: the spec or the plan changed, or somebody edited it.
    Correct,
    /// It is not planned any more.
    Prune,
    /// A volume is to be larger: a claim that asks for more, is freed of its set, or a set that is recreated for it.
    Grow,
    /// A claim is to carry the record of its revision.
    Record,
    /// A pod was made from an outdated template.
    Replace,
    /// A running pod is to have other memory.
    Resize,
    /// A pod is moved in or out of the Service, by its digest.
    Place,
}

impl Purpose {
    /// As the label `reason` has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Correct => "correct",
            Self::Prune => "prune",
            Self::Grow => "grow",
            Self::Record => "record",
            Self::Replace => "replace",
            Self::Resize => "resize",
            Self::Place => "place",
        }
    }
}
