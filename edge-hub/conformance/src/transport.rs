//! Connections to an edge, over TCP or TLS.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};
use url::Url;

/// What bytes go over.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A connection of which the other side hears nothing more: what is written goes nowhere.
pub struct Silent(pub Box<dyn Transport>);

impl AsyncRead for Silent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Silent {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Where an edge is.
#[derive(Clone)]
pub struct Address {
    pub url: Url,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

impl Address {
    /// Reads `http://`, `https://`, `ws://` or `wss://` with a host. A path other than `/` is
    /// refused, since the paths of an edge are the protocol's.
    pub fn parse(text: &str) -> Result<Self> {
        let mut url = Url::parse(text)
            .with_context(|| format!("`{text}` is not a URL such as http://127.0.0.1:3000"))?;
        let scheme = match url.scheme() {
            "http" | "ws" => "http",
            "https" | "wss" => "https",
            other => bail!("`{text}`: the scheme is `{other}`, and http or https is needed"),
        };
        let _ = url.set_scheme(scheme);
        if !matches!(url.path(), "" | "/") {
            bail!("`{text}` has a path; give the edge's URL without one");
        }
        let host = url.host_str().context("the URL has no host")?.to_owned();
        let port = url.port_or_known_default().context("the URL has no port")?;
        let tls = (scheme == "https").then(connector).transpose()?;
        Ok(Self {
            url,
            host,
            port,
            tls,
        })
    }

    /// What stands in `Host`.
    pub fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The URL of a path, for a WebSocket.
    pub fn websocket(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}{path}", self.authority())
    }

    /// Opens a connection. With `receive_bytes` the system takes little more than these for a
    /// client that does not read.
    pub async fn connect(
        &self,
        patience: Duration,
        receive_bytes: Option<u32>,
    ) -> Result<Box<dyn Transport>> {
        let open = async {
            let host = self.host.trim_matches(['[', ']']);
            let mut error = None;
            for address in lookup_host((host, self.port)).await? {
                let socket = match address.is_ipv4() {
                    true => TcpSocket::new_v4()?,
                    false => TcpSocket::new_v6()?,
                };
                if let Some(bytes) = receive_bytes {
                    socket.set_recv_buffer_size(bytes)?;
                }
                match socket.connect(address).await {
                    Ok(stream) => return self.secured(stream).await,
                    Err(failed) => error = Some(failed),
                }
            }
            Err(error.map_or_else(|| anyhow::anyhow!("it has no address"), Into::into))
        };
        timeout(patience, open)
            .await
            .unwrap_or_else(|_| bail!("no connection within {} s", patience.as_secs()))
            .with_context(|| format!("cannot connect to {}", self.url))
    }

    async fn secured(&self, stream: TcpStream) -> Result<Box<dyn Transport>> {
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from(self.host.clone())?;
        Ok(Box::new(tls.connect(name, stream).await?))
    }
}

fn connector() -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_of_edges() {
        let address = Address::parse("wss://chat.example.org").expect("a URL");
        assert_eq!(address.websocket("/ws"), "wss://chat.example.org/ws");
        let address = Address::parse("http://127.0.0.1:3000/").expect("a URL");
        assert_eq!(address.websocket("/ws"), "ws://127.0.0.1:3000/ws");
        for wrong in ["localhost:3000", "ftp://x", "http://x/ws", "nonsense"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
