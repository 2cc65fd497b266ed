//! A refresh that is requested by annotation.

use crds::pod::REQUEST_ID_BYTES_MAX;
use kube::core::ObjectMeta;

use crate::names;

/// A request that no pod accepts. It is ignored: an annotation must not block changes of the spec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the annotation {} has {bytes} bytes and is ignored; at most {REQUEST_ID_BYTES_MAX} are allowed",
    names::ANNOTATION_REFRESH
)]
pub struct TooLong {
    bytes: usize,
}

/// The request in the annotations of an Indexer; an empty one counts as none.
///
/// # Errors
/// If it is too long.
pub fn refresh_request(meta: &ObjectMeta) -> Result<Option<String>, TooLong> {
    let annotations = meta.annotations.as_ref();
    let request = annotations.and_then(|all| all.get(names::ANNOTATION_REFRESH));
    match request.filter(|id| !id.is_empty()) {
        Some(id) if id.len() > REQUEST_ID_BYTES_MAX => Err(TooLong { bytes: id.len() }),
        request => Ok(request.cloned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::indexer_asking_for_refresh;

    #[test]
    fn an_empty_request_is_none_and_a_long_one_is_refused() {
        let long = "x".repeat(256);
        let cases = [
            (String::new(), Ok(None)),
            (long.clone(), Ok(Some(long.clone()))),
            (format!("{long}x"), Err(TooLong { bytes: 257 })),
        ];
        for (id, expected) in cases {
            let meta = indexer_asking_for_refresh(&id).metadata;
            assert_eq!(refresh_request(&meta), expected, "{} bytes", id.len());
        }
    }
}
