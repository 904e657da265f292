//! The HTTP API over the platform's requests; what is answered is core's to say. Here is only what the
//! platform has beside it: whose pages may read an answer, and the request to wake.

mod cors;

use crate::{
    admission::Place,
    body::Pieces,
    clock,
    edge::{Edge, Interest, random},
    perform::Imports,
    wake,
    worker::network,
};
use clustertalk_core::{
    http::{Answer, Api, Events, Head, Problem, Reply},
    protocol::ErrorCode,
};
use futures_util::stream::unfold;
use std::{rc::Rc, time::Duration};
use worker::{Headers, Request, Response, Result};

/// How long one wait for news lasts. A client that went away is noticed after at most this.
const WAIT: Duration = Duration::from_secs(3);

pub async fn answer(edge: &Rc<Edge>, request: Request) -> Result<Response> {
    let reader = match cors::admit(&edge.settings.origins, &request)? {
        Ok(reader) => reader,
        Err(refused) => return cors::Reader::nobody().sign(respond(refused.into())?),
    };
    let response = if cors::is_preflight(&request)? {
        cors::preflight()?
    } else if request.path() == wake::PATH {
        respond(
            wake::answer(edge, request)
                .await
                .unwrap_or_else(Answer::from),
        )?
    } else {
        ask(edge, request).await?
    };
    reader.sign(response)
}

async fn ask(edge: &Rc<Edge>, mut request: Request) -> Result<Response> {
    let head = head(&request)?;
    let mut body = Pieces::from(request.stream());
    match api(edge).answer(&head, &mut body).await {
        Reply::Answer(answer) => {
            if let Some(room) = &answer.stored_in {
                edge.appended(room);
                edge.count_soon(room);
            }
            respond(answer)
        }
        Reply::Events(events) => {
            let network = network(request.headers())?;
            match edge.admission.admit(network) {
                Ok(place) => follow(edge, events, place),
                Err(problem) => respond(problem.into()),
            }
        }
    }
}

fn api(edge: &Edge) -> Api<'_, Imports> {
    let deployment = &edge.settings.deployment;
    Api::new(&edge.imports, deployment, clock::now(), random())
}

fn head(request: &Request) -> Result<Head> {
    let url = request.url()?;
    let mut target = url.path().to_owned();
    if let Some(query) = url.query() {
        target.push('?');
        target.push_str(query);
    }
    let headers = request.headers().entries();
    Ok(Head {
        method: request.method().to_string(),
        target,
        is_secure: url.scheme() == "https",
        authority: url.authority().to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.into_bytes()))
            .collect(),
    })
}

/// A room as a stream of events, which is kept open here so that news are known at once.
fn follow(edge: &Rc<Edge>, events: Events, place: Place) -> Result<Response> {
    let stream = Following {
        interest: edge.interest(events.room()),
        edge: Rc::clone(edge),
        events,
        has_begun: false,
        _place: place,
    };
    let body = unfold(stream, |mut stream| async move {
        let piece = stream.next().await?;
        Some((Ok::<_, worker::Error>(piece.into_bytes()), stream))
    });
    let headers = Headers::new();
    for (name, value) in Events::HEADERS {
        headers.set(name, value)?;
    }
    Ok(Response::from_stream(body)?.with_headers(headers))
}

struct Following {
    edge: Rc<Edge>,
    interest: Interest,
    events: Events,
    has_begun: bool,
    _place: Place,
}

impl Following {
    async fn next(&mut self) -> Option<String> {
        if std::mem::replace(&mut self.has_begun, true) {
            if let Some(seq) = self.events.waits_beyond() {
                self.interest.wait_beyond(seq, WAIT).await;
            }
            self.events.read_on(&api(&self.edge)).await.ok()?;
        }
        self.events.piece(clock::now())
    }
}

pub fn respond(answer: Answer) -> Result<Response> {
    let headers = Headers::new();
    for (name, value) in &answer.headers {
        headers.set(name, value)?;
    }
    let response = Response::from_bytes(answer.body)?;
    Ok(response.with_status(answer.status).with_headers(headers))
}

pub fn problem(code: ErrorCode, reason: &str) -> Result<Response> {
    respond(Problem::because(code, reason).into())
}
