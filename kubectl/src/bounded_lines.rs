//! Lines of a log as they arrive, each bounded in length.

use std::io;

use futures::{AsyncBufRead, AsyncBufReadExt as _, Stream, stream};

/// A guest's line has 4,096 bytes at most, each of which takes up to six as JSON.
const LINE_BYTES_MAX: usize = 64 << 10;

/// The lines of a log, until it ends; the error if its connection fails before. A line that is too long is left out.
pub fn lines(log: impl AsyncBufRead + Unpin + Send) -> impl Stream<Item = io::Result<String>> + Send {
    stream::unfold(Some(log), |log| async move {
        let mut log = log?;
        match next(&mut log).await.transpose()? {
            Ok(line) => Some((Ok(line), Some(log))),
            Err(error) => Some((Err(error), None)),
        }
    })
}

async fn next(log: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    loop {
        match next_or_too_long(log).await? {
            Some(Some(line)) => return Ok(Some(line)),
            Some(None) => {}
            None => return Ok(None),
        }
    }
}

/// The next line, or none in place of one that is too long; nothing at the end.
async fn next_or_too_long(log: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Option<String>>> {
    let (mut line, mut is_too_long) = (Vec::new(), false);
    loop {
        let arrived = log.fill_buf().await?;
        if arrived.is_empty() {
            // Half a line is none: whoever wrote it did not end it.
            return Ok(None);
        }
        let end = arrived.iter().position(|byte| *byte == b'\n');
        let part = arrived.get(..end.unwrap_or(arrived.len())).unwrap_or_default();
        if line.len() + part.len() > LINE_BYTES_MAX {
            is_too_long = true;
            line.clear();
        }
        if !is_too_long {
            line.extend_from_slice(part);
        }
        let taken = end.map_or(part.len(), |end| end + 1);
        log.consume_unpin(taken);
        if end.is_some() {
            return Ok(Some(
                (!is_too_long).then(|| String::from_utf8_lossy(&line).into_owned()),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, TryStreamExt as _, io::Cursor};

    use super::*;

    #[tokio::test]
    async fn lines_are_whole_and_bounded() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let longest = "y".repeat(LINE_BYTES_MAX);
        let text = format!("one\n\n{long}\n{longest}\nlast\nhalf a li");
        let read: Vec<String> = lines(Cursor::new(text)).map(Result::unwrap).collect().await;
        assert_eq!(read, ["one", "", longest.as_str(), "last"]);
    }

    #[tokio::test]
    async fn a_connection_that_fails_is_told_from_the_end_of_a_log() {
        let parts = [Ok("one\nhalf a li"), Err(io::ErrorKind::ConnectionReset.into())];
        let log = stream::iter(parts).into_async_read();
        let read: Vec<Result<String, io::ErrorKind>> = lines(log)
            .map(|line| line.map_err(|error| error.kind()))
            .collect()
            .await;
        assert_eq!(read, [Ok("one".into()), Err(io::ErrorKind::ConnectionReset)]);
    }
}
