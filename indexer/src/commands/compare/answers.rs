//! (pure) What the answers of two servers to one question say of each other.

use jsonrpsee_types::error::{INVALID_PARAMS_CODE, METHOD_NOT_FOUND_CODE};

use crate::{
    commands::{
        request::Refusal,
        text::{counted, start},
    },
    serve::rpc::VIEW_FAILED,
};

/// What a server answers to one question.
pub(super) type Answer = Result<String, Refusal>;

/// What the answers of both to one question come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Same,
    /// The view fails on both, which is the same.
    BothFail,
    Different,
    /// At least one of them does not say: that tells nothing of the other.
    NotAnswered,
}

/// A view that fails has answered, and servers say it in words of their own. No other code is an answer: two servers
/// that are both busy, or both lack the view, have nothing in common.
pub(super) fn of_view(ours: &Answer, theirs: &Answer) -> Verdict {
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) if digits(ours) == digits(theirs) => Verdict::Same,
        (Ok(_), Ok(_)) => Verdict::Different,
        (Err(ours), Err(theirs)) if ours.code == VIEW_FAILED && theirs.code == VIEW_FAILED => Verdict::BothFail,
        (Err(_), Err(_)) => Verdict::NotAnswered,
        (Ok(_), Err(refusal)) | (Err(refusal), Ok(_)) => match refusal.code {
            // It fails, or is not there, where the other one answers: asking again changes nothing.
            VIEW_FAILED | INVALID_PARAMS_CODE | METHOD_NOT_FOUND_CODE => Verdict::Different,
            _ => Verdict::NotAnswered,
        },
    }
}

/// A hash may be in the order in which it is displayed or in that of its bytes. One that is not there is of no chain.
pub(super) fn of_block(ours: &Answer, theirs: &Answer) -> Verdict {
    let (Ok(ours), Ok(theirs)) = (ours, theirs) else {
        return Verdict::NotAnswered;
    };
    let turned: String = digits(theirs)
        .as_bytes()
        .rchunks(2)
        .flatten()
        .map(|byte| char::from(*byte))
        .collect();
    match digits(ours) == digits(theirs) || digits(ours) == turned {
        true => Verdict::Same,
        false => Verdict::Different,
    }
}

/// For the report.
pub(super) fn shown(answer: &Answer) -> String {
    match answer {
        Ok(hex) => format!("{} {}", counted(digits(hex).len() / 2, "byte"), start(hex)),
        Err(refusal) => format!("the error \"{}\"", start(&refusal.message)),
    }
}

fn digits(hex: &str) -> &str {
    hex.strip_prefix("0x").unwrap_or(hex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::rpc::{NOT_AVAILABLE, OVER_LIMIT};

    fn ok(hex: &str) -> Answer {
        Ok(hex.into())
    }

    fn error(code: i32) -> Answer {
        Err(Refusal {
            code,
            message: format!("words of {code}"),
        })
    }

    #[test]
    fn two_errors_are_equal_only_where_the_view_failed_on_both() {
        use Verdict::{BothFail, Different, NotAnswered, Same};
        let internal = -32603;
        for (ours, theirs, verdict) in [
            (ok("0x07"), ok("07"), Same),
            (ok("0x07"), ok("0x08"), Different),
            (error(VIEW_FAILED), error(VIEW_FAILED), BothFail),
            (error(INVALID_PARAMS_CODE), error(INVALID_PARAMS_CODE), NotAnswered),
            (error(METHOD_NOT_FOUND_CODE), error(METHOD_NOT_FOUND_CODE), NotAnswered),
            (error(NOT_AVAILABLE), error(NOT_AVAILABLE), NotAnswered),
            (error(OVER_LIMIT), error(OVER_LIMIT), NotAnswered),
            (error(internal), error(internal), NotAnswered),
            (error(OVER_LIMIT), error(INVALID_PARAMS_CODE), NotAnswered),
            (error(INVALID_PARAMS_CODE), error(VIEW_FAILED), NotAnswered),
            (ok("0x07"), error(VIEW_FAILED), Different),
            (ok("0x07"), error(INVALID_PARAMS_CODE), Different),
            (ok("0x07"), error(METHOD_NOT_FOUND_CODE), Different),
            (ok("0x07"), error(NOT_AVAILABLE), NotAnswered),
            (ok("0x07"), error(OVER_LIMIT), NotAnswered),
            (ok("0x07"), error(internal), NotAnswered),
        ] {
            assert_eq!(of_view(&ours, &theirs), verdict, "{ours:?} {theirs:?}");
            assert_eq!(of_view(&theirs, &ours), verdict, "{theirs:?} {ours:?}");
        }
    }

    #[test]
    fn a_hash_is_the_same_in_either_order_and_a_missing_one_tells_nothing() {
        assert_eq!(of_block(&ok("0x0102"), &ok("0102")), Verdict::Same);
        assert_eq!(of_block(&ok("0x0102"), &ok("0x0201")), Verdict::Same);
        assert_eq!(of_block(&ok("0x0102"), &ok("0x0103")), Verdict::Different);
        for code in [VIEW_FAILED, NOT_AVAILABLE, OVER_LIMIT] {
            assert_eq!(of_block(&ok("0x0102"), &error(code)), Verdict::NotAnswered);
            assert_eq!(of_block(&error(code), &error(code)), Verdict::NotAnswered);
        }
    }

    #[test]
    fn answers_are_shown_with_their_size_and_errors_with_their_words() {
        assert_eq!(shown(&ok("0x")), "0 bytes 0x");
        assert_eq!(shown(&ok("0x07")), "1 byte 0x07");
        assert_eq!(shown(&ok("0708")), "2 bytes 0708");
        assert_eq!(shown(&error(7)), "the error \"words of 7\"");
    }
}
