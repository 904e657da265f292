//! Requests to others: to an edge by the commands that are its clients, to a collector of traces.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use url::Url;

/// Connects to the server of a URL, `http` or `https`, for one request. `authority` is a file with
/// certificates in PEM that are trusted beside the public ones.
///
/// # Errors
/// Nobody listens there, or who does cannot prove to be that host.
pub async fn connect(url: &Url, authority: Option<&Path>) -> Result<SendRequest<Full<Bytes>>> {
    match url.scheme() {
        "http" => connect_plain(url).await,
        "https" => connect_trusting(url, &Arc::new(trust(authority)?)).await,
        _ => bail!("`{url}`: only http:// and https:// are supported here"),
    }
}

/// The same for whoever connects often, with what [`trust`] answers.
///
/// # Errors
/// As of [`connect`].
pub async fn connect_trusting(
    url: &Url,
    trust: &Arc<ClientConfig>,
) -> Result<SendRequest<Full<Bytes>>> {
    if url.scheme() != "https" {
        return connect_plain(url).await;
    }
    let name = ServerName::try_from(bare_host(url)?.to_owned())?;
    let connector = TlsConnector::from(Arc::clone(trust));
    let stream = connector.connect(name, open(url).await?).await?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn connect_plain(url: &Url) -> Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = handshake(TokioIo::new(open(url).await?)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn open(url: &Url) -> Result<TcpStream> {
    let port = url.port_or_known_default().context("the URL has no port")?;
    let stream = TcpStream::connect((bare_host(url)?, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Without the brackets of an IPv6 address.
fn bare_host(url: &Url) -> Result<&str> {
    let host = url.host_str().context("the URL has no host")?;
    Ok(host.trim_start_matches('[').trim_end_matches(']'))
}

/// What a request to this URL has to have as its `Host`.
pub fn host(url: &Url) -> &str {
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}

/// Whom a client trusts: the public authorities, and those of a file in PEM.
///
/// # Errors
/// If the file is none.
pub fn trust(authority: Option<&Path>) -> Result<ClientConfig> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = authority {
        let shown = path.display();
        for certificate in CertificateDer::pem_file_iter(path)
            .with_context(|| format!("{shown} cannot be read"))?
        {
            let certificate = certificate.with_context(|| format!("{shown} is not PEM"))?;
            roots.add(certificate)?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
