//! (pure) One report of one pod, and where to request it.

use std::net::IpAddr;

use crds::{
    Revision,
    pod::{self, bounds::cut},
};

/// The longest reason why a pod counts as silent, in characters: it may quote what the pod said.
const SILENCE_CHARS_MAX: usize = 300;

/// The last report of a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// Its container does not run, so no request was made.
    NotRunning,
    /// It runs but did not answer, or not with its own status; with the reason.
    Silent(String),
    /// Its status.
    Answer(Box<pod::Status>),
}

/// A running container to which requests can be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Name of the pod.
    pub pod: String,
    /// Unique id of the pod.
    pub uid: String,
    /// Restarts of its container: reports of a previous process do not describe the current one.
    pub restarts: i32,
    /// The pod's address.
    pub address: IpAddr,
    /// `NAMESPACE/NAME` of the Indexer it must report for.
    pub indexer: String,
    /// The revision it must report for.
    pub revision: Revision,
}

impl Sample {
    /// The status, if there is one.
    #[must_use]
    pub fn answer(&self) -> Option<&pod::Status> {
        match self {
            Self::Answer(status) => Some(status),
            Self::NotRunning | Self::Silent(_) => None,
        }
    }

    /// Whether the next sample is likely to be the same, so that it can wait a little longer.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.answer().is_some_and(|s| s.ready && s.behind == Some(0))
    }
}

impl Target {
    /// Parses the body of an answer. Addresses are reused, so it must name the expected Indexer and revision.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn read(&self, body: &[u8]) -> Result<pod::Status, String> {
        let status =
            pod::Status::read(body).map_err(|e| cut(&format!("its status cannot be read: {e}"), SILENCE_CHARS_MAX))?;
        if status.indexer != self.indexer || status.revision != self.revision {
            let words = format!("it reports for {} revision {}", status.indexer, status.revision);
            return Err(cut(&words, SILENCE_CHARS_MAX));
        }
        Ok(status)
    }
}
