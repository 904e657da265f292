//! The way to the collector: OpenTelemetry's batches and encoding, over this host's HTTP client.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, Uri, header};
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    resource::EnvResourceDetector,
    trace::{BatchSpanProcessor, SpanProcessor},
};
use tokio::{runtime::Handle, time::timeout};
use url::Url;

use crate::{
    config::Traces,
    http_client::{connect, host},
};

/// A collector that takes longer is one that is not there.
const PATIENCE: Duration = Duration::from_secs(10);
/// An answer is a few bytes.
const ANSWER_BYTES: usize = 1 << 20;

/// Collects spans and sends them, from a thread of its own.
pub(super) fn processor(traces: &Traces, edge: &str) -> Result<BatchSpanProcessor> {
    let sender = Sender {
        runtime: Handle::current(),
        authority: traces.authority.clone(),
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_http_client(sender)
        .build()
        .context("the variables OTEL_… that say where traces go")?;
    let mut processor = BatchSpanProcessor::builder(exporter).build();
    let mut resource = Resource::builder_empty()
        .with_service_name("clustertalk")
        .with_attributes([
            KeyValue::new("service.instance.id", edge.to_owned()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .with_detector(Box::new(EnvResourceDetector::new()));
    if let Some(service) = &traces.service {
        resource = resource.with_service_name(service.clone());
    }
    processor.set_resource(&resource.build());
    Ok(processor)
}

#[derive(Debug)]
struct Sender {
    /// The thread of the batches has none.
    runtime: Handle,
    authority: Option<PathBuf>,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sending = send(request, self.authority.clone());
        let sent = self
            .runtime
            .spawn(async { timeout(PATIENCE, sending).await });
        let sent = sent
            .await?
            .unwrap_or_else(|_| bail!("no answer in {} s", PATIENCE.as_secs()));
        let status = sent.as_ref().map(Response::status);
        match status {
            Ok(status) if status.is_success() => {}
            Ok(status) => tracing::warn!(%status, "the collector does not take traces"),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(error, "traces cannot be sent");
            }
        }
        Ok(sent?)
    }
}

async fn send(request: Request<Bytes>, authority: Option<PathBuf>) -> Result<Response<Bytes>> {
    let url = Url::parse(&request.uri().to_string())?;
    let mut sender = connect(&url, authority.as_deref()).await?;
    let (mut parts, body) = request.into_parts();
    parts.headers.insert(header::HOST, host(&url).parse()?);
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse::<Uri>()?;
    let request = Request::from_parts(parts, Full::new(body));
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES).collect().await;
    let body = body.map_err(anyhow::Error::from_boxed)?.to_bytes();
    Ok(Response::from_parts(parts, body))
}
