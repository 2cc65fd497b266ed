//! (I/O) Which of several operators may write: the one that holds a Lease of the Kubernetes API.
//!
//! The holder may write for [`REIGN`] from the moment at which it sent its last successful renewal. Others take the Lease
//! [`LEASE`] after they saw the last renewal, which is later than it was sent. So the old holder's writes end
//! `LEASE - REIGN` before a new one's begin, and no clock is compared with that of another machine.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
};

use k8s_openapi::{api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::ObjectMeta, jiff::Timestamp};
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, sleep, sleep_until, timeout};

mod candidate;
mod gate;
mod leadership;
mod record;
mod times;

pub use gate::{Gate, Gated, NotLeading};
pub use leadership::Leadership;
pub use times::{LEASE, REIGN};

use crate::names::MANAGER;
use candidate::{Candidate, Verdict};
use record::{Holder, holder, next, released, taken};
use times::{CALL_MAX, LOOK_EVERY, RENEW_AGAIN, RENEW_EVERY};

/// Stands for the Lease.
pub struct Election {
    leases: Api<Lease>,
    name: String,
    identity: String,
}

/// Holds the Lease.
pub struct Reign {
    election: Election,
    held: Lease,
    renewed_at: Instant,
    leadership: Leadership,
}

/// Why a reign ended.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// No renewal succeeded in time.
    #[error("the Lease could not be renewed for {} s", REIGN.as_secs())]
    NotRenewed,
    /// Somebody took the Lease away.
    #[error("{0} holds the Lease")]
    Taken(String),
}

/// A call that failed, or that was not answered in time.
enum Failed {
    /// The server refused it, because what was sent is not based on what it has, or it has nothing.
    Stale,
    Other(String),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale => f.write_str("the Lease changed meanwhile"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

impl Election {
    /// Stands for the Lease of this name in the client's default namespace: in a cluster, that of the pod. The holder is
    /// shown by the name of its pod and random characters, since a container that starts anew is another holder.
    #[must_use]
    pub fn new(client: Client, name: String, pod: &str) -> Self {
        // The standard library seeds each of its hashers at random; nothing here is a secret.
        let random = RandomState::new().build_hasher().finish();
        Self {
            leases: Api::default_namespaced(client),
            name,
            identity: format!("{pod}_{random:016x}"),
        }
    }

    /// Waits until this process holds the Lease. Calls `looked` each time it could be read. A server that does not answer, or
    /// refuses, is asked again.
    pub async fn won(self, looked: impl Fn()) -> Reign {
        tracing::info!(lease = self.name, identity = self.identity, "standing by for the Lease");
        let mut candidate = Candidate::default();
        let mut is_reported = false;
        loop {
            match self.stand(&mut candidate, &looked).await {
                Ok(Some((held, renewed_at))) => {
                    tracing::info!(lease = self.name, identity = self.identity, "leading");
                    return Reign {
                        leadership: Leadership::until(renewed_at + REIGN),
                        election: self,
                        held,
                        renewed_at,
                    };
                }
                Ok(None) => is_reported = false,
                // Another candidate was faster.
                Err(Failed::Stale) => {}
                Err(Failed::Other(error)) => {
                    if !is_reported {
                        tracing::warn!(lease = self.name, error, "cannot read or take the Lease; trying on");
                    }
                    is_reported = true;
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Looks at the Lease and takes it if that is due. Returns it with the moment before it was asked for.
    async fn stand(&self, candidate: &mut Candidate, looked: &impl Fn()) -> Result<Option<(Lease, Instant)>, Failed> {
        let found = self.read().await?;
        looked();
        let verdict = candidate.see(found.as_ref(), &self.identity, Instant::now()); // [pure]
        if verdict == Verdict::Wait {
            return Ok(None);
        }
        let sent = Instant::now();
        let wanted = taken(found.as_ref(), &self.name, &self.identity, Timestamp::now()); // [pure]
        Ok(Some((self.write(&wanted).await?, sent)))
    }

    async fn read(&self) -> Result<Option<Lease>, Failed> {
        answered(self.leases.get_opt(&self.name)).await
    }

    /// Writes it if it still is what it was made from, and creates one that was made from nothing.
    async fn write(&self, lease: &Lease) -> Result<Lease, Failed> {
        let params = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        if lease.metadata.resource_version.is_some() {
            answered(self.leases.replace(&self.name, &params, lease)).await
        } else {
            answered(self.leases.create(&params, lease)).await
        }
    }
}

impl Reign {
    /// What to ask before a write.
    #[must_use]
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Renews the Lease until it is lost. Nothing is written from then on, and this process cannot lead again.
    pub async fn hold(&mut self) -> Lost {
        let leadership = self.leadership();
        tokio::select! {
            biased;
            () = leadership.over() => Lost::NotRenewed,
            holder = self.renew() => {
                self.leadership.end();
                Lost::Taken(holder)
            }
        }
    }

    /// Renews while nobody else has the Lease. Returns the name of who does.
    async fn renew(&mut self) -> String {
        let mut due = self.renewed_at + RENEW_EVERY;
        loop {
            sleep_until(due).await;
            let sent = Instant::now();
            let failed = match self.election.write(&next(&self.held, Timestamp::now())).await {
                Ok(held) => {
                    (self.held, self.renewed_at) = (held, sent);
                    self.leadership.extend(sent + REIGN);
                    due = sent + RENEW_EVERY;
                    continue;
                }
                Err(Failed::Stale) => match self.look_again().await {
                    Ok(None) => continue,
                    Ok(Some(other)) => return other,
                    Err(failed) => failed,
                },
                Err(failed) => failed,
            };
            tracing::warn!(lease = self.election.name, error = %failed, "cannot renew the Lease");
            due = Instant::now() + RENEW_AGAIN;
        }
    }

    /// What was held is not what there is. Somebody wrote to the Lease without taking it, or deleted it: then what there is,
    /// is what the next renewal is made from. Returns the holder if it is another one.
    async fn look_again(&mut self) -> Result<Option<String>, Failed> {
        let Some(found) = self.election.read().await? else {
            // Recreated while others wait for that.
            self.held.metadata = ObjectMeta {
                name: Some(self.election.name.clone()),
                ..ObjectMeta::default()
            };
            return Ok(None);
        };
        match holder(&found) {
            Holder::Nobody => Ok(Some("nobody".to_owned())),
            Holder::Somebody(name) if name == self.election.identity => {
                self.held = found;
                Ok(None)
            }
            Holder::Somebody(name) => Ok(Some(name)),
        }
    }

    /// Ends this reign for others to begin at once. To be called when nothing that was sent is still without an answer.
    pub async fn release(self) {
        self.leadership.end();
        let released = async {
            match self.election.read().await? {
                Some(found) if holder(&found) == Holder::Somebody(self.election.identity.clone()) => {
                    self.election.write(&released(&found)).await.map(drop)
                }
                _ => Ok(()),
            }
        };
        match released.await {
            Ok(()) => tracing::info!(lease = self.election.name, "released the Lease"),
            Err(error) => tracing::warn!(lease = self.election.name, %error, "could not release the Lease; it expires"),
        }
    }
}

/// Waits for an answer, for at most [`CALL_MAX`].
async fn answered<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Failed> {
    match timeout(CALL_MAX, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {
            // A namespace that is not there is no Lease that changed.
            let is_namespace = status
                .details
                .as_ref()
                .is_some_and(|details| details.kind == "namespaces");
            if is_namespace {
                Err(Failed::Other(status.message.clone()))
            } else {
                Err(Failed::Stale)
            }
        }
        Ok(Err(error)) => Err(Failed::Other(error.to_string())),
        Err(_) => Err(Failed::Other(format!("no answer within {} s", CALL_MAX.as_secs()))),
    }
}
