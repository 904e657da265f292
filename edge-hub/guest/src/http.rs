//! The HTTP API over WASI HTTP; what is answered is core's to say.

use crate::perform::Imports;
use crate::settings;
use clustertalk_core::http::{Answer, Api, Body, BrokenBody, Events, Head, Problem, Reply};
use clustertalk_core::protocol::ErrorCode;
use clustertalk_core::time::{Timestamp, millis};
use futures::{SinkExt, Stream, StreamExt};
use spin_sdk::http::{
    Headers, IncomingRequest, Method, OutgoingResponse, ResponseOutparam, Scheme,
};
use spin_sdk::http_component;
use std::pin::Pin;

/// How long one wait for news lasts. A client that went away is noticed after at most this.
const WAIT_MS: u32 = 3_000;

#[http_component]
async fn http(request: IncomingRequest, out: ResponseOutparam) {
    let settings = match settings::read() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}");
            return send(Problem::because(ErrorCode::Internal, &error).into(), out).await;
        }
    };
    let imports = Imports::new(&settings.redis_url);
    let api = Api::new(&imports, &settings, now(), settings::seed());
    let head = head(&request);
    match api.answer(&head, &mut Incoming::Whole(Some(request))).await {
        Reply::Answer(answer) => {
            if let Some(room) = &answer.stored_in {
                api.bring_overall_up(room).await;
            }
            send(answer, out).await;
        }
        Reply::Events(events) => follow(events, &api, &imports, &settings, out).await,
    }
}

fn head(request: &IncomingRequest) -> Head {
    let method = match request.method() {
        Method::Get => "GET".to_owned(),
        Method::Head => "HEAD".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Put => "PUT".to_owned(),
        Method::Patch => "PATCH".to_owned(),
        Method::Delete => "DELETE".to_owned(),
        other => format!("{other:?}"),
    };
    let headers = request.headers().entries();
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value));
    let head = Head {
        method,
        target: request.path_with_query().unwrap_or_default(),
        headers: headers.collect(),
        ..Head::default()
    };
    let text = |name| {
        let value = head.values(name).next()?;
        String::from_utf8(value.to_vec()).ok()
    };
    Head {
        is_secure: matches!(request.scheme(), Some(Scheme::Https))
            || text("x-forwarded-proto").as_deref() == Some("https"),
        authority: request
            .authority()
            .or_else(|| text("host"))
            .unwrap_or_default(),
        ..head
    }
}

/// The body of a request, begun when somebody asks for it.
enum Incoming {
    Whole(Option<IncomingRequest>),
    Begun(Pin<Box<dyn Stream<Item = Result<Vec<u8>, BrokenBody>>>>),
}

impl Body for Incoming {
    async fn piece(&mut self) -> Option<Result<Vec<u8>, BrokenBody>> {
        if let Self::Whole(request) = self {
            let pieces = request.take()?.into_body_stream();
            *self = Self::Begun(Box::pin(pieces.map(|piece| piece.map_err(|_| BrokenBody))));
        }
        match self {
            Self::Whole(_) => None,
            Self::Begun(pieces) => pieces.next().await,
        }
    }
}

async fn send(answer: Answer, out: ResponseOutparam) {
    let length = answer.body.len().to_string();
    let headers = answer.headers.iter();
    let headers = headers.map(|(name, value)| (*name, value.as_str()));
    let response = response(
        answer.status,
        headers.chain([("content-length", length.as_str())]),
    );
    // The caller may be gone; there is nobody left to tell.
    let _ = out.set_with_body(response, answer.body).await;
}

fn response<'a>(
    status: u16,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
) -> OutgoingResponse {
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .collect();
    let headers = Headers::from_list(&headers).unwrap_or_else(|_| Headers::new());
    let response = OutgoingResponse::new(headers);
    let _ = response.set_status_code(status);
    response
}

async fn follow(
    mut events: Events,
    api: &Api<'_, Imports>,
    imports: &Imports,
    settings: &settings::Settings,
    out: ResponseOutparam,
) {
    let answer = response(200, Events::HEADERS.into_iter());
    let mut body = answer.take_body();
    out.set(answer);
    while let Some(piece) = events.piece(now()) {
        if body.send(piece.into_bytes()).await.is_err() {
            return;
        }
        if let Some(seq) = events.waits_beyond() {
            let log = settings.keyspace.log(events.room());
            if imports.await_entry(&log, seq, WAIT_MS).is_err() {
                return;
            }
        }
        if events.read_on(api).await.is_err() {
            return;
        }
    }
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(millis(since))
}
