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
    let is_tls = match url.scheme() {
        "http" => false,
        "https" => true,
        _ => bail!("`{url}`: only http:// and https:// are supported here"),
    };
    let host = url.host_str().context("the URL has no host")?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().context("the URL has no port")?;
    let stream = TcpStream::connect((bare, port)).await?;
    stream.set_nodelay(true)?;
    if !is_tls {
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        return Ok(sender);
    }
    let name = ServerName::try_from(bare.to_owned())?;
    let connector = TlsConnector::from(Arc::new(trust(authority)?));
    let stream = connector.connect(name, stream).await?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// What a request to this URL has to have as its `Host`.
pub fn host(url: &Url) -> &str {
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}

fn trust(authority: Option<&Path>) -> Result<ClientConfig> {
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
