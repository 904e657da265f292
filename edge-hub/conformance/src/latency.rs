//! How long an edge takes, measured by one client after the other while nothing else runs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use crate::{
    context::{Context, Edge, Target, greet},
    socket::Handshake,
};

/// Messages of one user, so that no rate limits what is measured.
const EACH: usize = 10;

/// One line of the table; times are in milliseconds.
#[derive(Serialize)]
pub struct Row {
    pub what: &'static str,
    pub samples: usize,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
}

#[derive(Default)]
struct Samples(Vec<Duration>);

impl Samples {
    fn add(&mut self, began: Instant) {
        self.0.push(began.elapsed());
    }

    fn row(mut self, what: &'static str) -> Option<Row> {
        self.0.sort_unstable();
        let last = self.0.len().checked_sub(1)?;
        // Nearest rank.
        let percentile = |percent: usize| {
            let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
            self.0[rank.min(last)].as_secs_f64() * 1000.0
        };
        Some(Row {
            what,
            samples: self.0.len(),
            p50_ms: percentile(50),
            p90_ms: percentile(90),
            p99_ms: percentile(99),
        })
    }
}

/// Measures each step so many times.
pub async fn measure(target: &Arc<Target>, samples: usize) -> Result<Vec<Row>> {
    let context = Context::new(target);
    let rows = measured(&context, samples).await;
    context.clean_up().await;
    rows
}

async fn measured(c: &Context, samples: usize) -> Result<Vec<Row>> {
    let room = c.room().await?;
    let mut listener = c.join(&c.user("listener")?, &room).await?;
    let mut other = match c.target.second {
        Some(_) => Some(c.join_on(Edge::Second, &c.user("other")?, &room).await?),
        None => None,
    };
    let mut connect = Samples::default();
    let mut hello = Samples::default();
    let mut join = Samples::default();
    let mut ack = Samples::default();
    let mut delivered = Samples::default();
    let mut delivered_by_other = Samples::default();
    let mut resume = Samples::default();
    let mut post = Samples::default();
    for number in 0..samples {
        let user = c.user(&format!("speaker{}", number / EACH))?;
        let began = Instant::now();
        let (mut socket, _) = c
            .dial(Edge::First, "speaker", &Handshake::default())
            .await?;
        connect.add(began);
        let began = Instant::now();
        greet(&mut socket, &user, json!([])).await?;
        hello.add(began);
        let began = Instant::now();
        let joined = socket.enter(&room).await?;
        join.add(began);

        let id = format!("m{number}");
        let began = Instant::now();
        let send = async {
            socket.store(&room, &id, "how long does it take?").await?;
            ack.add(began);
            anyhow::Ok(())
        };
        let hear = async {
            listener
                .find("the message", |frame| frame["id"] == id.as_str())
                .await?;
            delivered.add(began);
            anyhow::Ok(())
        };
        let hear_elsewhere = async {
            if let Some(other) = &mut other {
                other
                    .find("the message", |frame| frame["id"] == id.as_str())
                    .await?;
                delivered_by_other.add(began);
            }
            anyhow::Ok(())
        };
        tokio::try_join!(send, hear, hear_elsewhere)?;
        drop(socket);

        let began = Instant::now();
        c.resume(&user, &room, Some(&joined["position"])).await?;
        resume.add(began);
        let poster = c.user(&format!("poster{}", number / EACH))?;
        let began = Instant::now();
        c.post(&poster, &room, &format!("p{number}"), "over HTTP")
            .await?;
        post.add(began);
        // What came by is of no interest.
        for listener in [Some(&mut listener), other.as_mut()].into_iter().flatten() {
            listener.told().await?;
        }
    }
    let rows = [
        connect.row("connect → upgraded"),
        hello.row("hello → welcome"),
        join.row("join → joined"),
        ack.row("send → ack"),
        delivered.row("send → delivered at another"),
        delivered_by_other.row("send → delivered by the second edge"),
        resume.row("connect, hello, resume → joined"),
        post.row("HTTP post → 201"),
    ];
    Ok(rows.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_samples() {
        let samples = Samples((1..=100).rev().map(Duration::from_millis).collect());
        let row = samples.row("x").expect("samples");
        assert_eq!((row.p50_ms, row.p90_ms, row.p99_ms), (50.0, 90.0, 99.0));
        let one = Samples(vec![Duration::from_millis(7)])
            .row("x")
            .expect("samples");
        assert_eq!((one.p50_ms, one.p99_ms), (7.0, 7.0));
        assert!(Samples::default().row("x").is_none());
    }
}
