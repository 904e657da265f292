//! `/metrics`, in the text format of Prometheus (0.0.4).

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    edge::Edge,
    sandbox::{CALL_TIME_BOUNDS, ComponentMetrics},
};

/// Everything this edge counts.
pub fn text(edge: &Edge) -> String {
    let mut page = Page(String::with_capacity(8 << 10));
    let (opened, open, queued) = edge.connections();
    page.one(
        "clustertalk_connections",
        "gauge",
        "WebSocket connections now.",
        open as u64,
    );
    page.one(
        "clustertalk_connections_opened_total",
        "counter",
        "WebSocket connections since the start.",
        opened,
    );
    page.one(
        "clustertalk_queue_bytes",
        "gauge",
        "Bytes that wait for slow sockets.",
        queued as u64,
    );
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
    if let Some(age) = edge.relay().heartbeat_age() {
        page.one(
            "clustertalk_redis_heartbeat_age_ms",
            "gauge",
            "Time since this edge heard itself through Redis.",
            age,
        );
    }
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
    components(&mut page, &edge.sandbox().snapshot());
    page.0
}

fn components(page: &mut Page, components: &[ComponentMetrics]) {
    type Read = fn(&ComponentMetrics) -> u64;
    let counters: [(&str, &str, Read); 8] = [
        (
            "clustertalk_component_instantiations_total",
            "Instances made.",
            |metrics| metrics.instantiations,
        ),
        (
            "clustertalk_component_swaps_total",
            "Builds switched to while running.",
            |metrics| metrics.swaps,
        ),
        (
            "clustertalk_component_traps_total",
            "Calls that trapped.",
            |metrics| metrics.traps,
        ),
        (
            "clustertalk_component_deadlines_total",
            "Calls stopped at their CPU deadline.",
            |metrics| metrics.deadlines,
        ),
        (
            "clustertalk_component_memory_total",
            "Calls stopped at their memory cap.",
            |metrics| metrics.memory,
        ),
        (
            "clustertalk_component_wall_total",
            "Calls stopped at the wall limit.",
            |metrics| metrics.wall,
        ),
        (
            "clustertalk_component_busy_total",
            "Calls refused because too many were running.",
            |metrics| metrics.busy,
        ),
        (
            "clustertalk_component_errors_total",
            "Calls answered with an error.",
            |metrics| metrics.refused,
        ),
    ];
    for (name, help, read) in counters {
        page.head(name, "counter", help);
        for metrics in components {
            page.line(
                name,
                &format!("component=\"{}\"", metrics.component),
                read(metrics),
            );
        }
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
        let component = &metrics.component;
        let bounds = CALL_TIME_BOUNDS
            .iter()
            .map(f64::to_string)
            .chain(["+Inf".to_owned()]);
        let mut sum = 0;
        for (bound, count) in bounds.zip(&metrics.call_time_counts) {
            sum += count;
            page.line(
                &format!("{name}_bucket"),
                &format!("component=\"{component}\",le=\"{bound}\""),
                sum,
            );
        }
        let seconds = metrics.call_time_sum.as_secs_f64();
        let _ = writeln!(page.0, "{name}_sum{{component=\"{component}\"}} {seconds}");
        page.line(
            &format!("{name}_count"),
            &format!("component=\"{component}\""),
            sum,
        );
    }
}

struct Page(String);

impl Page {
    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: u64) {
        let _ = writeln!(self.0, "{name}{{{labels}}} {value}");
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
