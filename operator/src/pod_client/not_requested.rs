//! (pure) Why a pod was not asked for something.

/// See the module. The words follow the name of the pod.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRequested {
    /// It does not know the path.
    #[error("does not take such requests: its version is an older one")]
    Unknown,
    /// It is not the process that does this.
    #[error("publishes no snapshots: its configuration is an older one")]
    NotHere,
    /// It answered something else.
    #[error("responded with {0}")]
    Answered(u16),
    /// It could not be asked.
    #[error("could not be asked: {0}")]
    NoAnswer(String),
}

impl NotRequested {
    /// What the pod itself has against it; none if it may accept the next request.
    #[must_use]
    pub fn refusal(self) -> Option<String> {
        match self {
            Self::Unknown | Self::NotHere => Some(self.to_string()),
            Self::Answered(_) | Self::NoAnswer(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_pod_will_repeat_is_a_refusal() {
        for (why, is_refusal) in [
            (NotRequested::Unknown, true),
            (NotRequested::NotHere, true),
            (NotRequested::Answered(500), false),
            (NotRequested::NoAnswer("no connection".into()), false),
        ] {
            assert_eq!(
                why.to_string().starts_with("does not take"),
                why == NotRequested::Unknown
            );
            assert_eq!(why.refusal().is_some(), is_refusal);
        }
    }
}
