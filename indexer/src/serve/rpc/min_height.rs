//! A client that knows a block can make its request wait until the index has it.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName};
use jsonrpsee_types::error::{ErrorObjectOwned, INVALID_PARAMS_CODE};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    codes::{NOT_AVAILABLE, error},
    index::Index,
};
use crate::chain::Height;

/// The height the index must have before a request is answered.
pub(super) const MIN_HEIGHT: HeaderName = HeaderName::from_static("x-shrewd-min-height");

/// Between two looks at the tip, which is in memory. Blocks are minutes apart; a client notices no less than this.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the header says; none: there is none.
///
/// # Errors
/// -32602 for anything but a decimal number that is a height.
pub(super) fn wanted(headers: &HeaderMap) -> Result<Option<Height>, ErrorObjectOwned> {
    let Some(value) = headers.get(MIN_HEIGHT) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    // `parse` alone would take "+5" too.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(height) if digits => Ok(Some(Height(height))),
        _ => Err(error(
            INVALID_PARAMS_CODE,
            format!("the header {MIN_HEIGHT} must be a decimal height"),
        )),
    }
}

/// Waits until the index has the height. Where it cannot be queried at all, the methods say why.
///
/// # Errors
/// -32001 when it has not got there in time.
pub(super) async fn reached(index: &impl Index, height: Height, time: Duration) -> Result<(), ErrorObjectOwned> {
    let deadline = Instant::now() + time;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let tip = index.tip();
        if index.unavailable().is_some() || tip.is_some_and(|tip| tip.height >= height) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let last = tip.map_or_else(
                || "nothing is indexed".into(),
                |tip| format!("the last one is {}", tip.height),
            );
            let message = format!(
                "height {height} of {MIN_HEIGHT} was not indexed within {} ms (views.timeout); {last}",
                time.as_millis()
            );
            return Err(error(NOT_AVAILABLE, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_decimal_height_is_taken() {
        let read = |text: &str| {
            let headers = HeaderMap::from_iter([(MIN_HEIGHT, text.parse().unwrap())]);
            wanted(&headers).map_err(|error| error.code())
        };
        assert_eq!(wanted(&HeaderMap::new()).unwrap(), None);
        assert_eq!(read("0"), Ok(Some(Height(0))));
        assert_eq!(read("4294967295"), Ok(Some(Height(u32::MAX))));
        for text in ["", "-1", "+1", "0x1", "latest", "4294967296", "1.0"] {
            assert_eq!(read(text), Err(-32602), "{text:?}");
        }
    }
}
