//! Bodies that may not be longer than expected.

use futures_util::StreamExt;
use worker::ByteStream;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("too large")]
    TooLarge,
    #[error("it ended early")]
    Broken,
}

/// The whole body, if it has at most `most` bytes.
pub async fn read(stream: worker::Result<ByteStream>, most: usize) -> Result<Vec<u8>, BodyError> {
    let Ok(mut stream) = stream else {
        // There is none.
        return Ok(Vec::new());
    };
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        body.extend(chunk.map_err(|_| BodyError::Broken)?);
        if body.len() > most {
            return Err(BodyError::TooLarge);
        }
    }
    Ok(body)
}
