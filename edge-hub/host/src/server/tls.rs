//! HTTPS: a certificate and its key from files, replaced beneath running connections.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    fs,
    net::TcpStream,
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

use crate::{config::TlsFiles, stream::Stream};

/// How often the files are looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Why a certificate is not taken.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct TlsError {
    pub path: PathBuf,
    pub reason: String,
}

/// What HTTPS is served with.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
    pub figures: TlsFigures,
}

/// What became of certificates since the start.
#[derive(Debug, Default)]
pub struct TlsFigures {
    /// Certificates switched to while running.
    pub reloads: AtomicU64,
    /// New ones that were not taken.
    pub reload_failures: AtomicU64,
    /// Handshakes that failed.
    pub handshake_failures: AtomicU64,
}

/// The certificate for the next handshake.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The two files as they are at one moment.
#[derive(Debug, PartialEq, Eq)]
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// They cannot be read, are no PEM, or do not belong together.
    pub async fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let key = Pair::read(&files).await?.check(&files)?;
        let current = Arc::new(Current(ArcSwap::from_pointee(key)));
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError {
                path: files.certificate.clone(),
                reason: error.to_string(),
            })?;
        let mut config = config
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(Self {
            files,
            current,
            config: Arc::new(config),
            figures: TlsFigures::default(),
        }))
    }

    /// The handshake of an accepted connection.
    pub(super) async fn accept(&self, tcp: TcpStream) -> io::Result<Stream> {
        let accepted = TlsAcceptor::from(Arc::clone(&self.config))
            .accept(tcp)
            .await;
        if accepted.is_err() {
            self.figures
                .handshake_failures
                .fetch_add(1, Ordering::Relaxed);
        }
        Ok(Stream::Tls(Box::new(accepted?)))
    }

    /// Takes what the files are replaced by, and what SIGHUP says is new, until it is dropped.
    pub async fn watch(self: Arc<Self>) -> io::Result<()> {
        let mut hangups = signal(SignalKind::hangup())?;
        let mut ticks = interval(WATCH_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut tried = Pair::read(&self.files).await.ok();
        let mut seen = None;
        loop {
            let is_asked = tokio::select! {
                _ = hangups.recv() => true,
                _ = ticks.tick() => false,
            };
            let now = match Pair::read(&self.files).await {
                Ok(now) => Some(now),
                Err(error) if is_asked => {
                    self.refuse(&error);
                    continue;
                }
                // Perhaps between the removal of one and the next.
                Err(_) => None,
            };
            // One file is replaced after the other: unasked, only what has come to rest is tried.
            let is_new = now.is_some() && now != tried && now == seen;
            if is_asked || is_new {
                if let Some(pair) = &now {
                    self.take(pair);
                }
                tried = now;
                seen = None;
            } else {
                seen = now;
            }
        }
    }

    fn take(&self, pair: &Pair) {
        match pair.check(&self.files) {
            Ok(key) => {
                self.current.0.store(Arc::new(key));
                self.figures.reloads.fetch_add(1, Ordering::Relaxed);
                let certificate = self.files.certificate.display();
                tracing::info!(%certificate, "a new certificate serves from now on");
            }
            Err(error) => self.refuse(&error),
        }
    }

    fn refuse(&self, error: &TlsError) {
        self.figures.reload_failures.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%error, "the new certificate is not taken, the old one serves on");
    }
}

impl Pair {
    async fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = async |path: &PathBuf| {
            fs::read(path).await.map_err(|error| TlsError {
                path: path.clone(),
                reason: format!("cannot be read: {error}"),
            })
        };
        Ok(Self {
            certificate: read(&files.certificate).await?,
            key: read(&files.key).await?,
        })
    }

    fn check(&self, files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
        let refuse = |path: &PathBuf, reason: String| TlsError {
            path: path.clone(),
            reason,
        };
        let chain =
            CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| refuse(&files.certificate, error.to_string()))?;
        if chain.is_empty() {
            let reason = "holds no certificate in PEM".to_owned();
            return Err(refuse(&files.certificate, reason));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| refuse(&files.key, format!("holds no private key in PEM: {error}")))?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let certificate = files.certificate.display();
                refuse(&files.key, format!("is not the key of {certificate}"))
            }
            error => refuse(&files.certificate, error.to_string()),
        })
    }
}

/// One that builds without a C++ compiler or cmake.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
