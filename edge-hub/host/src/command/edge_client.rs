//! Requests to an edge, for the commands that are its clients.

use std::{fs, io::Read, path::Path};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::{
    config::Edge,
    http_client::{connect, host},
};

/// Bytes of an answer that is taken in whole: a thousand rooms, a hundred messages.
const ANSWER_BYTES: usize = 8 << 20;
/// Bytes of a secret in a file.
const SECRET_BYTES: u64 = 64 << 10;

/// An edge, and what to show it.
pub struct EdgeClient<'e> {
    edge: &'e Edge,
    base: Url,
    authorization: Option<HeaderValue>,
}

impl<'e> EdgeClient<'e> {
    /// Reads the token, if there is one.
    pub fn new(edge: &'e Edge) -> Result<Self> {
        let url = &edge.url;
        let base = Url::parse(url).with_context(|| {
            format!("`{url}` is not a URL; give one like http://127.0.0.1:3000")
        })?;
        let token = match (&edge.token_file, &edge.token) {
            (Some(file), _) => Some(secret(file)?),
            (None, token) => token.clone(),
        };
        let bearer = |token: String| {
            let value = HeaderValue::try_from(format!("Bearer {}", token.trim()));
            let mut value =
                value.context("a token has no line breaks and no control characters")?;
            value.set_sensitive(true);
            anyhow::Ok(value)
        };
        Ok(Self {
            edge,
            base,
            authorization: token.map(bearer).transpose()?,
        })
    }

    /// A path with these parameters, and who reads where names may be chosen.
    pub fn path(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        if let Some(user) = &self.edge.user {
            query.append_pair("user", user);
        }
        match query.finish() {
            query if query.is_empty() => format!("/api/v1/{path}"),
            query => format!("/api/v1/{path}?{query}"),
        }
    }

    /// Sends one request.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Response<Incoming>> {
        let base = &self.base;
        let mut sender = connect(base, self.edge.ca.as_deref()).await.with_context(|| {
            format!("no edge answers at {base}; start one with `clustertalk up`, or give its address by `--url`")
        })?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host(base))
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        Ok(sender.send_request(request).await?)
    }

    /// Sends one request, for the JSON that answers it.
    pub async fn ask(&self, method: Method, path: &str, body: String) -> Result<Value> {
        let response = self.request(method, path, &[], body).await?;
        let status = response.status();
        let body = whole(response.into_body()).await?;
        if !status.is_success() {
            bail!("{}", refusal(status, &body));
        }
        serde_json::from_slice(&body)
            .with_context(|| format!("what answers at {} is no edge", self.base))
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, String::new()).await
    }
}

/// A body, if it is not too large.
pub async fn whole(body: Incoming) -> Result<Bytes> {
    let body = Limited::new(body, ANSWER_BYTES).collect().await;
    Ok(body.map_err(anyhow::Error::from_boxed)?.to_bytes())
}

/// Why the edge does not do it, and what to do about it.
pub fn refusal(status: StatusCode, body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(code) = answer["code"].as_str() else {
        return format!("the edge answered {status}");
    };
    let message = answer["message"].as_str().unwrap_or("no reason was given");
    match code {
        "unauthorized" => format!(
            "{message} ({code}); give one by CLUSTERTALK_TOKEN or --token-file, as `clustertalk token` makes it"
        ),
        _ => format!("{message} ({code})"),
    }
}

/// What a file has, or standard input for `-`, without the end of its last line.
pub fn secret(path: &Path) -> Result<String> {
    let mut text = String::new();
    let shown = path.display();
    let mut read = |from: &mut dyn Read| from.take(SECRET_BYTES).read_to_string(&mut text);
    match path.as_os_str() == "-" {
        true => read(&mut std::io::stdin().lock()).context("standard input cannot be read")?,
        false => {
            let mut file =
                fs::File::open(path).with_context(|| format!("{shown} cannot be read"))?;
            read(&mut file).with_context(|| format!("{shown} cannot be read"))?
        }
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
