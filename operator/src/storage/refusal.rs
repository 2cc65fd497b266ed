//! Why a volume does not grow.

/// What keeps a volume from growing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Its class does not allow it.
    Class,
    /// A quota of the namespace is exceeded.
    Quota,
    /// Anything else.
    Other,
}

/// A claim that was to grow and was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its name.
    pub claim: String,
    /// The size that was asked for.
    pub size: String,
    /// What it is due to.
    pub obstacle: Obstacle,
    /// The server's words.
    pub words: String,
}
