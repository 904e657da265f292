//! Traces, as a collector gets them.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value,
    resource::v1::Resource,
    trace::v1::{Span, span::SpanKind},
};
use prost::Message;
use serde_json::json;
use tokio::net::TcpListener;

use super::{
    client::Client,
    harness::{Edge, RedisServer, Site, eventually},
};

/// A span with the edge that it is of.
#[derive(Debug, Clone)]
struct Told {
    edge: String,
    span: Span,
}

/// Takes what edges send.
struct Collector {
    address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let collector = Self {
            address,
            told: Arc::clone(&told),
        };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let told = Arc::clone(&told);
                let service = service_fn(move |request| take(request, Arc::clone(&told)));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        collector
    }

    /// An edge that sends its traces here.
    async fn edge(&self, site: &Site, redis: &RedisServer, flags: &[&str]) -> Edge {
        let mut command = site.up_on(&redis.url());
        command
            .args(flags)
            .env(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                format!("http://{}", self.address),
            )
            .env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=chat")
            .env(
                "OTEL_RESOURCE_ATTRIBUTES",
                "deployment.environment.name=test",
            )
            .env("OTEL_BSP_SCHEDULE_DELAY", "50");
        site.start(&mut command).await
    }

    /// The spans with an attribute of this value.
    fn with(&self, key: &str, value: &str) -> Vec<Told> {
        let all = self.told.lock().expect("a list");
        let is_wanted = |told: &&Told| attribute(&told.span, key).as_deref() == Some(value);
        all.iter().filter(is_wanted).cloned().collect()
    }

    /// All spans of a trace.
    fn of(&self, trace: &[u8]) -> Vec<Told> {
        let all = self.told.lock().expect("a list");
        let is_wanted = |told: &&Told| told.span.trace_id == trace;
        all.iter().filter(is_wanted).cloned().collect()
    }
}

async fn take(
    request: Request<Incoming>,
    told: Arc<Mutex<Vec<Told>>>,
) -> Result<Response<Empty<Bytes>>, hyper::Error> {
    assert_eq!(
        (request.method().as_str(), request.uri().path()),
        ("POST", "/v1/traces")
    );
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    assert_eq!(request.headers()["x-tenant"], "chat");
    let body = request.into_body().collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    assert!(!text.contains("sentinel"), "a message's text is in a trace");
    let request = ExportTraceServiceRequest::decode(body).expect("spans");
    for spans in request.resource_spans {
        let resource = spans.resource.expect("who sends this");
        let of = |key| resource_attribute(&resource, key);
        assert_eq!(of("service.name").as_deref(), Some("clustertalk"));
        assert_eq!(of("deployment.environment.name").as_deref(), Some("test"));
        let edge = of("service.instance.id").expect("an edge");
        let spans = spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
        told.lock().expect("a list").extend(spans.map(|span| Told {
            edge: edge.clone(),
            span,
        }));
    }
    Ok(Response::new(Empty::new()))
}

fn resource_attribute(resource: &Resource, key: &str) -> Option<String> {
    let mut attributes = resource.attributes.iter();
    let attribute = attributes.find(|attribute| attribute.key == key)?;
    text(attribute.value.as_ref()?.value.as_ref()?)
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let attribute = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key)?;
    text(attribute.value.as_ref()?.value.as_ref()?)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

#[tokio::test]
async fn a_message_is_one_trace_from_its_frame_to_each_edge_that_delivers_it() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let collector = Collector::start().await;
    let (one, two) = tokio::join!(
        collector.edge(&site, &redis, &[]),
        collector.edge(&site, &redis, &[])
    );
    let mut ada = Client::join(one.address, "ada").await;
    let mut bob = Client::join(two.address, "bob").await;
    ada.store("general", "m1", "This is spam, a sentinel").await;
    assert_eq!(bob.take("message").await["id"], "m1");
    let posted = json!({ "user": "cleo", "id": "c1", "text": "sentinel" });
    assert_eq!(one.post("general", &posted).await.status, 201);

    for (seq, first, action) in [("1", "frame", "mask"), ("2", "request", "allow")] {
        let spans = eventually("a delivery by each edge", async || {
            let deliveries = collector.with("clustertalk.seq", seq);
            let spans = collector.of(&deliveries.first()?.span.trace_id);
            // What is sent in another batch is still to come.
            (deliveries.len() == 2 && spans.len() >= 7).then_some(spans)
        })
        .await;
        let named = |name: &str| -> Vec<&Told> {
            let is_named = |told: &&Told| told.span.name == name;
            spans.iter().filter(is_named).collect()
        };
        let [root] = named(first)[..] else {
            panic!("{spans:#?}")
        };
        assert!(root.span.parent_span_id.is_empty(), "{root:?}");
        assert_eq!(root.span.kind(), SpanKind::Server);
        let [hub] = named("hub")[..] else {
            panic!("{spans:#?}")
        };
        assert_eq!(hub.span.parent_span_id, root.span.span_id);
        assert!(hub.span.start_time_unix_nano >= root.span.start_time_unix_nano);
        for name in ["moderation", "analytics", "redis"] {
            let within = named(name);
            assert!(!within.is_empty(), "no {name} in {spans:#?}");
            for told in within {
                assert_eq!(told.span.parent_span_id, hub.span.span_id, "{name}");
                assert!(
                    told.span.end_time_unix_nano <= hub.span.end_time_unix_nano,
                    "{name}"
                );
                assert_eq!(told.edge, root.edge, "{name}");
            }
        }
        let verdict = attribute(&named("moderation")[0].span, "clustertalk.action");
        assert_eq!(verdict.as_deref(), Some(action));
        let operation = attribute(&named("redis")[0].span, "db.operation.name");
        assert_eq!(operation.as_deref(), Some("EVALSHA"));

        let deliveries: BTreeMap<&str, &Span> = named("deliver")
            .into_iter()
            .map(|told| (told.edge.as_str(), &told.span))
            .collect();
        assert_eq!(deliveries.len(), 2, "{spans:#?}");
        for (edge, span) in deliveries {
            assert_eq!(span.parent_span_id, root.span.span_id, "{edge}");
            assert_eq!(span.kind(), SpanKind::Consumer);
            assert_eq!(
                attribute(span, "clustertalk.room").as_deref(),
                Some("general")
            );
            assert_eq!(
                attribute(span, "clustertalk.followers").as_deref(),
                Some("1")
            );
        }
    }
}

#[tokio::test]
async fn edges_agree_on_which_messages_are_traced() {
    const MESSAGES: usize = 20;
    let redis = RedisServer::start().await;
    let site = Site::new();
    let collector = Collector::start().await;
    let flags = ["--trace-share", "0.5", "--drain", "2s"];
    let (mut one, mut two) = tokio::join!(
        collector.edge(&site, &redis, &flags),
        collector.edge(&site, &redis, &flags)
    );
    let mut ada = Client::join(one.address, "ada").await;
    let mut bob = Client::join(two.address, "bob").await;
    for number in 0..MESSAGES {
        ada.store("general", &format!("m{number}"), "hello").await;
    }
    bob.take_many("message", MESSAGES).await;
    drop((ada, bob));
    // What is not yet sent is sent at the end.
    for edge in [&mut one, &mut two] {
        edge.signal(rustix::process::Signal::TERM);
        edge.ended().await;
    }
    let all = collector.told.lock().expect("a list");
    let mut traces: BTreeMap<&[u8], Vec<&str>> = BTreeMap::new();
    for told in all.iter() {
        traces
            .entry(&told.span.trace_id)
            .or_default()
            .push(&told.span.name);
    }
    assert!((1..MESSAGES).contains(&traces.len()), "{traces:?}");
    for names in traces.values() {
        let count = |name| names.iter().filter(|known| **known == name).count();
        assert_eq!((count("frame"), count("deliver")), (1, 2), "{names:?}");
    }
}
