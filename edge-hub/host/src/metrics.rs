//! `/metrics`, in the text format of Prometheus (0.0.4).
//!
//! A figure is there from the start, with 0, so that a query for it is never empty: the one
//! exception is the heartbeat, which has no age before the first. `deploy/` has a dashboard and
//! alerts for them, and a test that holds both to this page.

use std::{
    fmt::{Display, Write},
    sync::atomic::{AtomicU64, Ordering},
};

use clustertalk_core::protocol::CloseCode;

use crate::{
    edge::Edge,
    sandbox::{ComponentMetrics, Histogram, TIME_BOUNDS},
    webhooks::Endpoint,
};

/// Everything this edge counts.
pub fn text(edge: &Edge) -> String {
    let mut page = Page(String::with_capacity(16 << 10));
    page.head(
        "clustertalk_build_info",
        "gauge",
        "Which version is running.",
    );
    let version = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"");
    page.line("clustertalk_build_info", version, 1);
    page.one(
        "clustertalk_draining",
        "gauge",
        "1 while this edge moves its clients elsewhere.",
        u64::from(edge.is_draining()),
    );
    sockets(&mut page, edge);
    relay(&mut page, edge);
    redis(&mut page, edge);
    let name = "clustertalk_moderation_verdicts_total";
    page.head(name, "counter", "Messages by what moderation decided.");
    for (action, count) in edge.sandbox().verdicts() {
        page.line(name, &format!("action=\"{action}\""), count);
    }
    components(&mut page, &edge.sandbox().snapshot());
    webhooks(&mut page, edge);
    page.0
}

fn sockets(page: &mut Page, edge: &Edge) {
    let server = edge.server();
    let registry = server.as_ref().map(|server| server.registry());
    let counters = server.as_ref().map(|server| server.counters());
    let tls = server.as_ref().and_then(|server| server.tls());
    page.one(
        "clustertalk_connections",
        "gauge",
        "WebSocket connections now.",
        registry.map_or(0, |registry| registry.len() as u64),
    );
    page.one(
        "clustertalk_queue_bytes",
        "gauge",
        "Bytes that wait for slow sockets.",
        registry.map_or(0, |registry| registry.queue_bytes() as u64),
    );
    page.one(
        "clustertalk_connections_opened_total",
        "counter",
        "WebSocket connections since the start.",
        edge.connections_opened(),
    );
    page.one(
        "clustertalk_connections_accepted_total",
        "counter",
        "Connections taken, plain ones too.",
        counters.map_or(0, |counters| counters.accepted()),
    );
    page.one(
        "clustertalk_connections_refused_total",
        "counter",
        "Connections beyond a limit.",
        counters.map_or(0, |counters| counters.refused()),
    );
    page.one(
        "clustertalk_accept_errors_total",
        "counter",
        "Times that no connection could be taken, as for want of files.",
        counters.map_or(0, |counters| counters.accept_errors()),
    );
    let name = "clustertalk_closes_total";
    page.head(
        name,
        "counter",
        "WebSocket connections that this edge closed.",
    );
    for code in CloseCode::ALL {
        let labels = format!("code=\"{}\"", code.code());
        page.line(name, &labels, edge.closes(*code));
    }
    let figures = tls.map(|tls| &tls.figures);
    page.one(
        "clustertalk_tls_reloads_total",
        "counter",
        "Certificates switched to while running.",
        figures.map_or(0, |figures| load(&figures.reloads)),
    );
    page.one(
        "clustertalk_tls_reload_failures_total",
        "counter",
        "New certificates that were not taken.",
        figures.map_or(0, |figures| load(&figures.reload_failures)),
    );
    page.one(
        "clustertalk_tls_handshake_failures_total",
        "counter",
        "TLS handshakes that failed.",
        figures.map_or(0, |figures| load(&figures.handshake_failures)),
    );
}

fn relay(page: &mut Page, edge: &Edge) {
    page.one(
        "clustertalk_rooms",
        "gauge",
        "Rooms that this edge follows.",
        edge.relay().rooms_followed() as u64,
    );
    page.one(
        "clustertalk_rooms_unreadable",
        "gauge",
        "Rooms among them whose log is damaged.",
        edge.relay().rooms_unreadable() as u64,
    );
    let figures = &edge.relay().figures;
    for (name, help, counter) in [
        (
            "clustertalk_publications_total",
            "Publications received from Redis.",
            &figures.publications,
        ),
        (
            "clustertalk_deliveries_total",
            "Messages queued for connections.",
            &figures.deliveries,
        ),
        (
            "clustertalk_fetches_total",
            "Times that a room read its log because of a gap or as a check.",
            &figures.fetches,
        ),
        (
            "clustertalk_diverged_total",
            "Times that a room's log was another one than before.",
            &figures.diverged,
        ),
        (
            "clustertalk_publications_dropped_total",
            "Publications dropped because a room was behind.",
            &figures.dropped,
        ),
        (
            "clustertalk_resubscriptions_total",
            "Times that the subscription was made anew.",
            &figures.resubscriptions,
        ),
        (
            "clustertalk_writeless_heartbeats_total",
            "Heartbeats while Redis refused to write (OOM, MISCONF, NOREPLICAS).",
            &figures.writeless_heartbeats,
        ),
        (
            "clustertalk_presence_corrections_total",
            "Users whose connections Redis counted wrongly, as after a call that was not answered.",
            &figures.presence_corrections,
        ),
        (
            "clustertalk_room_failures_total",
            "Rooms that failed by an error of ours; their connections resumed.",
            &figures.failures,
        ),
    ] {
        page.one(name, "counter", help, load(counter));
    }
    let name = "clustertalk_reads_delayed_total";
    let help =
        "Frames after which a socket was read later, since its user or address sent too fast.";
    page.head(name, "counter", help);
    let paces = edge.paces();
    page.line(name, "by=\"user\"", paces.users.delays());
    page.line(name, "by=\"address\"", paces.addresses.delays());
}

fn redis(page: &mut Page, edge: &Edge) {
    if let Some(age) = edge.relay().heartbeat_age() {
        page.one(
            "clustertalk_redis_heartbeat_age_seconds",
            "gauge",
            "Time since this edge heard itself through Redis.",
            age as f64 / 1000.0,
        );
    }
    let (times, errors) = edge.sandbox().redis();
    let name = "clustertalk_redis_command_seconds";
    page.head(
        name,
        "histogram",
        "Commands of components by time, waiting included.",
    );
    page.histogram(name, "", &times);
    page.one(
        "clustertalk_redis_errors_total",
        "counter",
        "Commands of components that failed or were refused.",
        errors,
    );
}

fn components(page: &mut Page, components: &[ComponentMetrics]) {
    type Read = fn(&ComponentMetrics) -> u64;
    let figures: [(&str, &str, &str, Read); 9] = [
        (
            "clustertalk_component_running",
            "gauge",
            "Calls under way, responses that stream included.",
            |metrics| metrics.running,
        ),
        (
            "clustertalk_component_instantiations_total",
            "counter",
            "Instances made.",
            |metrics| metrics.instantiations,
        ),
        (
            "clustertalk_component_swaps_total",
            "counter",
            "Builds switched to while running.",
            |metrics| metrics.swaps,
        ),
        (
            "clustertalk_component_traps_total",
            "counter",
            "Calls that trapped.",
            |metrics| metrics.traps,
        ),
        (
            "clustertalk_component_deadlines_total",
            "counter",
            "Calls stopped at their CPU deadline.",
            |metrics| metrics.deadlines,
        ),
        (
            "clustertalk_component_memory_total",
            "counter",
            "Calls stopped at their memory cap.",
            |metrics| metrics.memory,
        ),
        (
            "clustertalk_component_wall_total",
            "counter",
            "Calls stopped at the wall limit.",
            |metrics| metrics.wall,
        ),
        (
            "clustertalk_component_busy_total",
            "counter",
            "Calls refused because too many were running.",
            |metrics| metrics.busy,
        ),
        (
            "clustertalk_component_errors_total",
            "counter",
            "Calls answered with an error.",
            |metrics| metrics.refused,
        ),
    ];
    for (name, kind, help, read) in figures {
        page.head(name, kind, help);
        for metrics in components {
            let labels = format!("component=\"{}\"", metrics.component);
            page.line(name, &labels, read(metrics));
        }
    }
    let name = "clustertalk_component_swap_seconds";
    page.head(
        name,
        "gauge",
        "From the file in its place to the last switch to it; 0 before the first.",
    );
    for metrics in components {
        let labels = format!("component=\"{}\"", metrics.component);
        page.line(name, &labels, metrics.swap_time.as_secs_f64());
    }
    page.head(
        "clustertalk_component_info",
        "gauge",
        "Which build of a component is running.",
    );
    for metrics in components {
        let labels = format!(
            "component=\"{}\",digest=\"{}\"",
            metrics.component, metrics.digest
        );
        page.line("clustertalk_component_info", &labels, 1);
    }
    let name = "clustertalk_component_call_seconds";
    page.head(
        name,
        "histogram",
        "Finished calls by time, waiting included.",
    );
    for metrics in components {
        let labels = format!("component=\"{}\"", metrics.component);
        page.histogram(name, &labels, &metrics.call_times);
    }
}

fn webhooks(page: &mut Page, edge: &Edge) {
    type Read = fn(&Endpoint) -> f64;
    let endpoints = edge.relay().webhooks();
    let endpoints = endpoints.map_or(&[][..], |webhooks| webhooks.endpoints());
    let figures: [(&str, &str, &str, Read); 6] = [
        (
            "clustertalk_webhooks_delivered_total",
            "counter",
            "Events that an endpoint has taken.",
            |endpoint| load(&endpoint.figures.delivered) as f64,
        ),
        (
            "clustertalk_webhooks_failed_total",
            "counter",
            "Requests to an endpoint that failed; they are tried again.",
            |endpoint| load(&endpoint.figures.failed) as f64,
        ),
        (
            "clustertalk_webhooks_expired_total",
            "counter",
            "Events that were given up for their age, once the endpoint was told.",
            |endpoint| load(&endpoint.figures.expired) as f64,
        ),
        (
            "clustertalk_webhooks_dropped_total",
            "counter",
            "Events that a full queue dropped, once the endpoint was told.",
            |endpoint| load(&endpoint.figures.dropped) as f64,
        ),
        (
            "clustertalk_webhooks_lag_seconds",
            "gauge",
            "Age of the oldest event that this edge is telling an endpoint.",
            |endpoint| endpoint.lag().as_secs_f64(),
        ),
        (
            "clustertalk_webhooks_gone",
            "gauge",
            "1 for an endpoint that answered 410 and is told nothing more.",
            |endpoint| f64::from(u8::from(endpoint.is_gone())),
        ),
    ];
    for (name, kind, help, read) in figures {
        page.head(name, kind, help);
        for endpoint in endpoints {
            let labels = format!("endpoint=\"{}\"", endpoint.settings.name);
            page.line(name, &labels, read(endpoint));
        }
    }
}

struct Page(String);

impl Page {
    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(name, "", value);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let bounds = TIME_BOUNDS
            .iter()
            .map(f64::to_string)
            .chain(["+Inf".to_owned()]);
        let comma = if labels.is_empty() { "" } else { "," };
        let mut sum = 0;
        for (bound, count) in bounds.zip(&histogram.counts) {
            sum += count;
            let labels = format!("{labels}{comma}le=\"{bound}\"");
            self.line(&format!("{name}_bucket"), &labels, sum);
        }
        let seconds = histogram.sum.as_secs_f64();
        self.line(&format!("{name}_sum"), labels, seconds);
        self.line(&format!("{name}_count"), labels, sum);
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
