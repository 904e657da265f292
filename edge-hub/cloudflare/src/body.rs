//! Bodies that may not be longer than expected.

use clustertalk_core::http::{Body, BrokenBody};
use futures_util::StreamExt;
use worker::ByteStream;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("too large")]
    TooLarge,
    #[error("it ended early")]
    Broken,
}

/// A body as the platform hands it over.
pub struct Pieces(Option<ByteStream>);

impl From<worker::Result<ByteStream>> for Pieces {
    fn from(stream: worker::Result<ByteStream>) -> Self {
        // Without a body it is an error.
        Self(stream.ok())
    }
}

impl Body for Pieces {
    async fn piece(&mut self) -> Option<Result<Vec<u8>, BrokenBody>> {
        let piece = self.0.as_mut()?.next().await?;
        Some(piece.map_err(|_| BrokenBody))
    }
}

/// The whole body, if it has at most `most` bytes.
pub async fn read(mut body: impl Body, most: usize) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(piece) = body.piece().await {
        bytes.extend(piece.map_err(|BrokenBody| BodyError::Broken)?);
        if bytes.len() > most {
            return Err(BodyError::TooLarge);
        }
    }
    Ok(bytes)
}
