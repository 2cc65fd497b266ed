//! Failures of a storage as our own errors, with no more of a server's words than say why.

use std::{error::Error as _, time::Duration};

use object_store::{Error as Failure, client::HttpError};

use super::super::Error;

/// What is shown of a server's words. What S3 says of a wrong signature repeats the whole request.
const WORDS_MAX: usize = 300;

/// What a failed request comes to.
pub(super) fn error(action: &'static str, url: &str, failure: &Failure) -> Error {
    let url = url.to_owned();
    let words = words(failure);
    match failure {
        Failure::NotFound { .. } => Error::Missing { url },
        Failure::PermissionDenied { .. } | Failure::Unauthenticated { .. } => Error::Denied { url, action, words },
        Failure::NotSupported { .. }
        | Failure::NotImplemented { .. }
        | Failure::InvalidPath { .. }
        | Failure::UnknownConfigurationKey { .. } => Error::Unsupported { url, action, words },
        // Connections, timeouts, statuses of the server. The client has retried what may pass.
        _ => Error::Unavailable { url, action, words },
    }
}

/// No answer in time.
pub(super) fn silent(action: &'static str, url: &str, after: Duration) -> Error {
    Error::Unavailable {
        url: url.into(),
        action,
        words: format!("no answer within {} s", after.as_secs()),
    }
}

/// Why a request failed, on one line.
fn words(failure: &Failure) -> String {
    let text = failure.to_string();
    let status = between(&text, "status code: ", ": ").map(|status| format!("HTTP {status}"));
    let code = between(&text, "<Code>", "</Code>").map(ToOwned::to_owned);
    let shown: Vec<String> = match (status, code) {
        (None, None) => vec![transport(failure).unwrap_or(text)],
        (status, code) => status.into_iter().chain(code).collect(),
    };
    let words = shown.join(" ");
    let line: Vec<&str> = words.split_whitespace().collect();
    line.join(" ").chars().take(WORDS_MAX).collect()
}

/// What the connection says, down to the system's own words.
fn transport(failure: &Failure) -> Option<String> {
    let mut cause = failure.source();
    while let Some(error) = cause {
        if error.downcast_ref::<HttpError>().is_some() {
            let mut deepest = error;
            while let Some(source) = deepest.source() {
                deepest = source;
            }
            return Some(format!("{error}: {deepest}"));
        }
        cause = error.source();
    }
    None
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after).map_or(rest, |(found, _)| found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(text: &str) -> Failure {
        Failure::Generic {
            store: "S3",
            source: text.to_owned().into(),
        }
    }

    #[test]
    fn of_a_servers_words_only_what_says_why_is_shown() {
        let text = "Error performing GET http://h/b in 1ms - Server returned non-2xx status code: 403 Forbidden: \
                    <?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA1\
                    </AWSAccessKeyId><StringToSign>secret</StringToSign></Error>";
        assert_eq!(words(&failure(text)), "HTTP 403 Forbidden SignatureDoesNotMatch");
        assert_eq!(
            words(&failure("Server returned non-2xx status code: 503 Slow Down: ")),
            "HTTP 503 Slow Down"
        );
        let long = words(&failure(&"word\n".repeat(1_000)));
        assert!(long.starts_with("Generic S3 error: word word") && long.len() <= WORDS_MAX);
    }
}
