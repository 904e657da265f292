//! Requests to an edge, for the commands that are its clients.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, body::Incoming, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::Url;

/// Sends one request to the edge at `base`.
pub async fn request(
    base: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Result<Response<Incoming>> {
    let base = Url::parse(base)
        .with_context(|| format!("`{base}` is not a URL; give one like http://127.0.0.1:3000"))?;
    if base.scheme() != "http" {
        bail!("`{base}`: only http:// is supported here");
    }
    let host = base.host_str().context("the URL has no host")?;
    let port = base.port_or_known_default().unwrap_or(80);
    let stream = TcpStream::connect((host, port)).await.with_context(|| {
        format!("no edge answers at {base}; start one with `clustertalk up`, or give its address by `--url`")
    })?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, format!("{host}:{port}"))
        .header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    Ok(sender.send_request(request).await?)
}
