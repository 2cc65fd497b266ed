//! What is requested by annotation.

use crds::pod::REQUEST_ID_BYTES_MAX;
use kube::core::ObjectMeta;

/// A request that no pod accepts. It is ignored: an annotation must not block changes of the spec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the annotation {annotation} has {bytes} bytes and is ignored; at most {REQUEST_ID_BYTES_MAX} are allowed")]
pub struct TooLong {
    annotation: &'static str,
    bytes: usize,
}

/// The request in an annotation of an Indexer; an empty one counts as none.
///
/// # Errors
/// If it is too long.
pub fn requested(meta: &ObjectMeta, annotation: &'static str) -> Result<Option<String>, TooLong> {
    let annotations = meta.annotations.as_ref();
    let request = annotations.and_then(|all| all.get(annotation));
    match request.filter(|id| !id.is_empty()) {
        Some(id) if id.len() > REQUEST_ID_BYTES_MAX => Err(TooLong {
            annotation,
            bytes: id.len(),
        }),
        request => Ok(request.cloned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::indexer_asking,
        names::{ANNOTATION_REFRESH, ANNOTATION_SNAPSHOT},
    };

    #[test]
    fn an_empty_request_is_none_and_a_long_one_is_refused() {
        let long = "x".repeat(256);
        for annotation in [ANNOTATION_REFRESH, ANNOTATION_SNAPSHOT] {
            let bytes = 257;
            let cases = [
                (String::new(), Ok(None)),
                (long.clone(), Ok(Some(long.clone()))),
                (format!("{long}x"), Err(TooLong { annotation, bytes })),
            ];
            for (id, expected) in cases {
                let meta = indexer_asking(annotation, &id).metadata;
                assert_eq!(requested(&meta, annotation), expected, "{} bytes", id.len());
            }
        }
    }
}
