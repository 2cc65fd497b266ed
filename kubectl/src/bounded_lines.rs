//! Lines of a log as they arrive, each bounded in length.

use futures::{AsyncBufRead, AsyncBufReadExt as _, Stream, stream};

/// A guest's line has 4,096 bytes at most, each of which takes up to six as JSON.
const LINE_BYTES_MAX: usize = 64 << 10;

/// The lines of a log, until it ends or its connection fails. One that is too long is left out.
pub fn lines(log: impl AsyncBufRead + Unpin + Send) -> impl Stream<Item = String> + Send {
    stream::unfold(log, |mut log| async move { Some((next(&mut log).await?, log)) })
}

async fn next(log: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    loop {
        if let Some(line) = next_or_too_long(log).await? {
            return Some(line);
        }
    }
}

/// The next line, or none in place of one that is too long; nothing at the end.
async fn next_or_too_long(log: &mut (impl AsyncBufRead + Unpin)) -> Option<Option<String>> {
    let (mut line, mut is_too_long) = (Vec::new(), false);
    loop {
        let arrived = log.fill_buf().await.ok()?;
        if arrived.is_empty() {
            // Half a line is none: whoever wrote it did not end it.
            return None;
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
            return Some((!is_too_long).then(|| String::from_utf8_lossy(&line).into_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, io::Cursor};

    use super::*;

    #[tokio::test]
    async fn lines_are_whole_and_bounded() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let longest = "y".repeat(LINE_BYTES_MAX);
        let text = format!("one\n\n{long}\n{longest}\nlast\nhalf a li");
        let read: Vec<String> = lines(Cursor::new(text)).collect().await;
        assert_eq!(read, ["one", "", longest.as_str(), "last"]);
    }
}
