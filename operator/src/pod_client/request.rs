//! What all requests to a pod have in common.

use std::{net::SocketAddr, time::Duration};

use crate::facts::Target;

/// The longest time one request may take, from connecting to the last byte. A pod answers from memory in a millisecond;
/// two seconds is a node under full load.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// The URL of a path on one of a pod's ports.
pub(super) fn url(target: &Target, port: u16, path: &str) -> String {
    format!("http://{}{path}", SocketAddr::new(target.address, port))
}

/// Why a request failed, in few and steady words: addresses and system texts would change the message at every attempt.
pub(super) fn failure(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "no answer in time".into()
    } else if error.is_connect() {
        "no connection".into()
    } else {
        "its answer was cut short".into()
    }
}
