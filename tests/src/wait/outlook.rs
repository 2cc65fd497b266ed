//! Whether waiting can mend an error. One that it cannot mend fails a test at once instead of after minutes.

use std::{error::Error, fmt};

use kube::core::Status;
use serde_json::error::Category;

/// An error that no waiting mends, with what was found.
#[derive(Debug)]
pub struct Hopeless(pub String);

impl fmt::Display for Hopeless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Hopeless {}

/// Whether a further probe would meet this error again. An error of unknown kind counts as temporary.
#[must_use]
pub fn is_hopeless(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<Hopeless>()
            || matches!(cause.downcast_ref(), Some(kube::Error::Api(status)) if is_refusal(status))
            || cause.downcast_ref().is_some_and(is_another_type)
    })
}

/// Whether the API server would refuse the same request again. 400 is not final: it is also the answer to a request for
/// the log of a container that has not started.
fn is_refusal(status: &Status) -> bool {
    match status.code {
        401 | 403 | 405 | 422 => true,
        // Without an object's name, it is the kind that is not found: its CRD is missing.
        404 => status.details.as_ref().is_none_or(|details| details.name.is_empty()),
        _ => false,
    }
}

/// Whether a complete text was not of the expected type. A truncated one may be complete the next time.
fn is_another_type(error: &serde_json::Error) -> bool {
    matches!(error.classify(), Category::Data | Category::Syntax)
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, Result, anyhow, bail};
    use serde_json::json;

    use super::*;

    fn refused(code: u16, object: Option<&str>) -> anyhow::Error {
        let status = Status::failure("words", "Reason").with_code(code);
        let status = match object {
            None => status,
            Some(name) => status.with_details(serde_json::from_value(json!({"name": name})).unwrap()),
        };
        kube::Error::Api(status.boxed()).into()
    }

    #[test]
    fn a_refusal_is_final_and_an_object_or_a_server_that_is_not_there_yet_is_not() {
        let cases = [
            (404, Some("one"), false),
            (404, Some(""), true),
            (404, None, true),
            (401, None, true),
            (403, Some("one"), true),
            (422, Some("one"), true),
            (400, Some("one"), false),
            (409, Some("one"), false),
            (429, None, false),
            (500, None, false),
            (503, None, false),
        ];
        for (code, object, hopeless) in cases {
            assert_eq!(is_hopeless(&refused(code, object)), hopeless, "{code} {object:?}");
        }
    }

    #[test]
    fn text_of_another_type_is_final_and_one_that_breaks_off_is_not() {
        let read = |text: &str| serde_json::from_str::<Vec<u8>>(text).unwrap_err();
        for (text, hopeless) in [("{}", true), ("[1, x]", true), ("[1, ", false), ("", false)] {
            assert_eq!(is_hopeless(&read(text).into()), hopeless, "{text:?}");
            assert_eq!(
                is_hopeless(&kube::Error::SerdeError(read(text)).into()),
                hopeless,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_cause_counts_under_any_context_and_words_never_do() {
        let under = |error: Result<()>| error.context("read the status").context("wait").unwrap_err();
        assert!(is_hopeless(&under(Err(refused(403, None)))));
        let marked = || -> Result<()> { bail!(Hopeless("the pod failed".into())) };
        assert!(is_hopeless(&under(marked())));
        assert!(!is_hopeless(&under(Err(anyhow!("403 Forbidden: the pod failed")))));
    }
}
