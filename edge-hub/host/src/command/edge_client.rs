//! Requests to an edge, for the commands that are its clients.

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, body::Incoming, header};
use url::Url;

use crate::{
    config::Edge,
    http_client::{connect, host},
};

/// Sends one request to an edge.
pub async fn request(
    edge: &Edge,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Result<Response<Incoming>> {
    let Edge { url, ca, .. } = edge;
    let base = Url::parse(url)
        .with_context(|| format!("`{url}` is not a URL; give one like http://127.0.0.1:3000"))?;
    let mut sender = connect(&base, ca.as_deref()).await.with_context(|| {
        format!("no edge answers at {base}; start one with `clustertalk up`, or give its address by `--url`")
    })?;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, host(&base))
        .header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    Ok(sender.send_request(request).await?)
}
