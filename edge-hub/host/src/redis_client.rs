//! How Redis is reached: `redis://` plainly, `rediss://` over TLS, `unix:` by a socket.

use std::{fs, io, path::PathBuf, sync::Arc};

use redis::{Client, ClientTlsConfig, RedisResult, TlsCertificates};

use crate::config::RedisTlsFiles;

/// What proves Redis to us, and us to Redis, where the URL is `rediss://`. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct RedisCertificates(Option<Arc<TlsCertificates>>);

/// A file of certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be read: {source}", path.display())]
pub struct RedisCertificatesError {
    pub path: PathBuf,
    pub source: io::Error,
}

impl RedisCertificates {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// One of them cannot be read. What is in it shows when a client is made.
    pub fn read(files: &RedisTlsFiles) -> Result<Self, RedisCertificatesError> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|source| RedisCertificatesError {
                path: path.clone(),
                source,
            })
        };
        if *files == RedisTlsFiles::default() {
            return Ok(Self::default());
        }
        let client_tls = match &files.client {
            None => None,
            Some(pair) => Some(ClientTlsConfig {
                client_cert: read(&pair.certificate)?,
                client_key: read(&pair.key)?,
            }),
        };
        Ok(Self(Some(Arc::new(TlsCertificates {
            client_tls,
            root_cert: files.ca.as_ref().map(read).transpose()?,
        }))))
    }

    /// A client for the server of this URL; nothing is connected yet. Without an authority of
    /// their own, servers have to be certified by a public one.
    ///
    /// # Errors
    /// The URL is not one of a Redis, or the certificates are no PEM.
    pub fn client(&self, url: &str) -> RedisResult<Client> {
        match &self.0 {
            Some(certificates) if url.starts_with("rediss:") => {
                Client::build_with_tls(url, TlsCertificates::clone(certificates))
            }
            _ => Client::open(url),
        }
    }
}
