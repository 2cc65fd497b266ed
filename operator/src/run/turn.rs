//! (I/O) When this process works: at once and for good if it is the only one, otherwise while it holds the Lease.

use std::future::pending;

use kube::{Client, Config};

use crate::{
    admin::Readiness,
    election::{Election, Leadership, Lost, Reign},
};

/// This process works.
pub(super) struct Turn {
    /// What its writes ask.
    pub(super) leadership: Leadership,
    reign: Option<Reign>,
}

/// Waits for this process's turn. Its readiness meanwhile says whether it could take over.
///
/// # Errors
/// If no client can be made from the configuration.
pub(super) async fn turn(
    lease: Option<String>,
    pod_name: &str,
    api_server: &Config,
    readiness: &Readiness,
) -> anyhow::Result<Turn> {
    let Some(lease) = lease else {
        return Ok(Turn {
            leadership: Leadership::unchallenged(),
            reign: None,
        });
    };
    // A client of its own: renewals pass no gate, and wait in no queue behind the calls of passes.
    let client = Client::try_from(api_server.clone())?;
    let reign = Election::new(client, lease, pod_name)
        .won(|| readiness.stand_by(true))
        .await;
    readiness.stand_by(false);
    Ok(Turn {
        leadership: reign.leadership(),
        reign: Some(reign),
    })
}

impl Turn {
    /// Keeps the Lease until it is lost; without one it never returns.
    pub(super) async fn lost(&mut self) -> Lost {
        match &mut self.reign {
            Some(reign) => reign.hold().await,
            None => pending().await,
        }
    }

    /// Lets another process begin. To be called when nothing that was sent is still without an answer.
    pub(super) async fn release(self) {
        if let Some(reign) = self.reign {
            reign.release().await;
        }
    }
}
