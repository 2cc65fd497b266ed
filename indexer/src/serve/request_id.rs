//! The id of a request on the ops port, under which it will show in `/status` once it is carried out.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use crds::pod::{REQUEST_ID_BYTES_MAX, Request};

/// The longest body: a request is one short id.
pub(super) const BODY_BYTES_MAX: usize = 1024;

/// The id in a body; an empty one is given an id.
///
/// # Errors
/// What is wrong with the body.
pub(super) fn request_id(body: &[u8]) -> Result<String, String> {
    if body.trim_ascii().is_empty() {
        return Ok(generated());
    }
    match serde_json::from_slice::<Request>(body) {
        Ok(Request { id }) if id.is_empty() || id.len() > REQUEST_ID_BYTES_MAX => {
            Err(format!("id must have 1 to {REQUEST_ID_BYTES_MAX} bytes\n"))
        }
        Ok(Request { id }) => Ok(id),
        Err(error) => Err(format!("the body must be empty or {{\"id\": \"any text\"}}: {error}\n")),
    }
}

/// Differs from every id given before, in this process and those before it.
fn generated() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!(
        "manual-{}-{}",
        since_epoch.as_millis(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_differ() {
        assert_ne!(generated(), generated());
    }
}
