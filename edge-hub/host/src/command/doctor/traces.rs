//! Where traces go.

use std::time::Duration;

use tokio::time::timeout;
use url::Url;

use super::report::{Finding, Name, Report};
use crate::{config::Traces, http_client::connect};

const PATIENCE: Duration = Duration::from_secs(3);

pub async fn examine(traces: &Traces, report: &mut Report) {
    let Traces {
        endpoint,
        authority,
        ..
    } = traces;
    let reason = match Url::parse(endpoint) {
        Err(error) => error.to_string(),
        Ok(url) => match timeout(PATIENCE, connect(&url, authority.as_deref())).await {
            Ok(Ok(_)) => {
                report.good("the collector of traces listens");
                return;
            }
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => format!("no answer in {} s", PATIENCE.as_secs()),
        },
    };
    report.find(Finding::new(
        Name::Traces,
        format!("no collector takes traces at {endpoint}: {reason}"),
        "start it, or correct OTEL_EXPORTER_OTLP_ENDPOINT; the chat goes on without",
    ));
}
