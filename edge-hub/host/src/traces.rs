//! Traces of messages: one from a client's frame or request to every edge that delivers it, sent to
//! a collector by OTLP over HTTP if the environment names one.
//!
//! The trace of a message and its first span have ids that are made from the message itself: room,
//! user and id. So each edge that delivers it finds them without a byte more on the wire, and a
//! message that is sent again is found in the trace of its first attempt. This is also why spans
//! are made here, and not by a tracer, which would draw ids at random.
//!
//! Which message a call of the hub is about is known when it asks moderation. Until then spans wait;
//! those of calls that are about none are dropped. Nothing is made while no collector is named.

mod export;

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use anyhow::Result;
use opentelemetry::{
    InstrumentationScope, KeyValue, TraceFlags,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};
use sha2::{Digest, Sha256};

use crate::{config, sandbox::CallError};

/// All that has to be known to make spans; there is none while nobody asks for traces.
static EXPORTER: OnceLock<Exporter> = OnceLock::new();

struct Exporter {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
    /// Messages whose hash begins below this are traced; the same ones on each edge.
    below: u64,
}

tokio::task_local! {
    /// Where in which trace this task is.
    static CURRENT: Place;
}

#[derive(Clone)]
struct Place {
    message: Arc<OnceLock<Option<Ids>>>,
    /// The span that others begin in; none for the first one.
    span: Option<SpanId>,
}

/// The ids that a message gives to its trace and its first span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ids {
    trace: TraceId,
    first: SpanId,
}

/// What there is to say of a span that has ended.
#[derive(Debug, Default)]
pub struct Told {
    pub attributes: Vec<KeyValue>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl Told {
    /// Whether it failed, and how.
    pub fn outcome<T>(result: &Result<T, CallError>) -> Self {
        Self {
            attributes: Vec::new(),
            error: result.as_ref().err().map(ToString::to_string),
        }
    }

    /// Whether it failed; what it said itself may be the message's own words.
    pub fn success<T, E>(result: &Result<T, E>) -> Self {
        Self {
            attributes: Vec::new(),
            error: result.is_err().then(|| "failed".to_owned()),
        }
    }
}

/// Begins to trace, as the edge with this id.
///
/// # Errors
/// OpenTelemetry's variables are wrong.
pub fn start(traces: &config::Traces, edge: &str) -> Result<()> {
    let exporter = Exporter {
        processor: export::processor(traces, edge)?,
        scope: InstrumentationScope::builder("clustertalk")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
        // 1 is all of them, but for one in 2^64.
        below: (traces.share * u64::MAX as f64) as u64,
    };
    let _ = EXPORTER.set(exporter);
    Ok(())
}

/// Sends what has not been sent yet; nothing is traced after that.
pub async fn stop(time: Duration) {
    // It waits for a thread of its own.
    let stopping = tokio::task::spawn_blocking(move || {
        EXPORTER
            .get()
            .map(|exporter| exporter.processor.shutdown_with_timeout(time))
    });
    if let Ok(Some(Err(error))) = stopping.await {
        tracing::warn!(%error, "the last traces could not be sent");
    }
}

/// The first span, if this turns out to be about a message; others begin in it.
pub async fn first<T>(name: &'static str, work: impl Future<Output = T>) -> T {
    if EXPORTER.get().is_none() {
        return work.await;
    }
    let place = Place {
        message: Arc::default(),
        span: None,
    };
    let begun = SystemTime::now();
    let done = CURRENT.scope(place.clone(), work).await;
    if let Some(Some(ids)) = place.message.get() {
        let parent = SpanId::INVALID;
        finish(
            *ids,
            ids.first,
            parent,
            SpanKind::Server,
            name,
            begun,
            Told::default(),
        );
    }
    done
}

/// A span within the one that this task is in, if it is in any.
pub async fn within<T>(
    name: &'static str,
    kind: SpanKind,
    work: impl Future<Output = T>,
    tell: impl FnOnce(&T) -> Told,
) -> T {
    let Ok(place) = CURRENT.try_with(Place::clone) else {
        return work.await;
    };
    let id = SpanId::from(fastrand::u64(1..));
    let inner = Place {
        message: Arc::clone(&place.message),
        span: Some(id),
    };
    let begun = SystemTime::now();
    let done = CURRENT.scope(inner, work).await;
    if let Some(Some(ids)) = place.message.get() {
        let parent = place.span.unwrap_or(ids.first);
        finish(*ids, id, parent, kind, name, begun, tell(&done));
    }
    done
}

/// Takes the place of this task along into another one.
pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let place = CURRENT.try_with(Place::clone).ok();
    async move {
        match place {
            Some(place) => CURRENT.scope(place, work).await,
            None => work.await,
        }
    }
}

/// What this task does is about this message.
pub fn is_about(room: &str, user: &str, id: &str) {
    // Outside of a trace there is nobody to tell.
    let _ = CURRENT.try_with(|place| {
        place.message.get_or_init(|| sampled(room, user, id));
    });
}

/// The time, if a delivery that begins now is to be told by [`delivered`].
pub fn delivering() -> Option<SystemTime> {
    EXPORTER.get().map(|_| SystemTime::now())
}

/// A message was queued for so many connections of this edge.
pub fn delivered(begun: SystemTime, room: &str, user: &str, id: &str, seq: u64, followers: usize) {
    let Some(ids) = sampled(room, user, id) else {
        return;
    };
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let told = Told {
        attributes: vec![
            KeyValue::new("clustertalk.room", room.to_owned()),
            KeyValue::new("clustertalk.seq", number(seq)),
            KeyValue::new("clustertalk.followers", number(followers as u64)),
        ],
        error: None,
    };
    let span = SpanId::from(fastrand::u64(1..));
    finish(
        ids,
        span,
        ids.first,
        SpanKind::Consumer,
        "deliver",
        begun,
        told,
    );
}

/// The ids of a message, if it is among those that are traced.
fn sampled(room: &str, user: &str, id: &str) -> Option<Ids> {
    let (ids, share) = ids(room, user, id);
    (share < EXPORTER.get()?.below).then_some(ids)
}

/// The ids of a message, and a number that says whether it is traced.
fn ids(room: &str, user: &str, id: &str) -> (Ids, u64) {
    let mut hash = Sha256::new();
    for part in ["clustertalk message", room, user, id] {
        // None of them has a zero byte.
        hash.update(part);
        hash.update([0]);
    }
    let hash = hash.finalize();
    let number = |at: usize| {
        let bytes = std::array::from_fn(|offset| hash[at + offset]);
        u64::from_be_bytes(bytes)
    };
    let trace = u128::from(number(0)) << 64 | u128::from(number(8));
    let ids = Ids {
        trace: TraceId::from(trace),
        first: SpanId::from(number(16)),
    };
    (ids, number(24))
}

fn finish(
    ids: Ids,
    span: SpanId,
    parent: SpanId,
    kind: SpanKind,
    name: &'static str,
    begun: SystemTime,
    told: Told,
) {
    let Some(exporter) = EXPORTER.get() else {
        return;
    };
    let flags = TraceFlags::SAMPLED;
    exporter.processor.on_end(SpanData {
        span_context: SpanContext::new(ids.trace, span, flags, false, TraceState::NONE),
        parent_span_id: parent,
        parent_span_is_remote: kind == SpanKind::Consumer,
        span_kind: kind,
        name: name.into(),
        start_time: begun,
        end_time: SystemTime::now(),
        attributes: told.attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: told.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: exporter.scope.clone(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_same_ids_wherever_they_are_made() {
        let (ids, _) = ids("general", "ada", "m1");
        let shown = (ids.trace.to_string(), ids.first.to_string());
        // SHA-256 of `clustertalk message␀general␀ada␀m1␀`.
        let expected = ("7cb6faaab74ffe1d35884b7a8c812f57", "856e8b185dd9c6eb");
        assert_eq!((shown.0.as_str(), shown.1.as_str()), expected);
        let others = [
            ("general", "ada", "m2"),
            ("general", "adam", "1"),
            ("tech", "ada", "m1"),
        ];
        for (room, user, id) in others {
            assert_ne!(super::ids(room, user, id).0, ids, "{room} {user} {id}");
        }
    }

    #[tokio::test]
    async fn nothing_is_told_while_nobody_asks() {
        let told = |_: &i32| -> Told { panic!("a span was made") };
        let work = within("hub", SpanKind::Internal, async { 7 }, told);
        assert_eq!(first("frame", carried(work)).await, 7);
        is_about("general", "ada", "m1");
        assert_eq!(delivering(), None);
    }
}
