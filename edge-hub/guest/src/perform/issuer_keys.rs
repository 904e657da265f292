//! What an issuer answers, through WASI HTTP.

use clustertalk_core::auth::{KeysUrl, SET_BYTES};
use wasi::clocks::monotonic_clock::subscribe_duration;
use wasi::http::outgoing_handler;
use wasi::http::types::{
    Fields, FutureIncomingResponse, IncomingResponse, OutgoingRequest, Scheme,
};
use wasi::io::poll::{Pollable, poll};
use wasi::io::streams::StreamError;

/// The longest that an issuer may take, from the connection to the last byte. The host gives an
/// event 5 s, and Redis may need some of them.
const FETCH_NANOS: u64 = 2_500_000_000;
const CHUNK_BYTES: u64 = 16 << 10;

/// The body behind a URL. No redirect is followed: the URL is what the operator wrote.
pub fn fetch(url: &KeysUrl) -> Result<String, String> {
    let deadline = subscribe_duration(FETCH_NANOS);
    let response = answer(&request(url)?, &deadline)?;
    match response.status() {
        200 => body(&response, &deadline),
        status => Err(format!("status {status}")),
    }
}

fn request(url: &KeysUrl) -> Result<FutureIncomingResponse, String> {
    let headers = Fields::new();
    let accepted = headers.set(&"accept".to_owned(), &[b"application/json".to_vec()]);
    accepted.map_err(|error| error.to_string())?;
    let request = OutgoingRequest::new(headers);
    let scheme = if url.is_secure() {
        Scheme::Https
    } else {
        Scheme::Http
    };
    request
        .set_scheme(Some(&scheme))
        .and_then(|()| request.set_authority(Some(url.authority())))
        .and_then(|()| request.set_path_with_query(Some(url.path())))
        .map_err(|()| "the URL is not taken".to_owned())?;
    outgoing_handler::handle(request, None).map_err(|error| error.to_string())
}

fn answer(
    coming: &FutureIncomingResponse,
    deadline: &Pollable,
) -> Result<IncomingResponse, String> {
    wait(&coming.subscribe(), deadline)?;
    match coming.get() {
        Some(Ok(answer)) => answer.map_err(|error| error.to_string()),
        Some(Err(())) | None => Err("no answer".to_owned()),
    }
}

fn body(response: &IncomingResponse, deadline: &Pollable) -> Result<String, String> {
    let body = response.consume().map_err(|()| "no body".to_owned())?;
    let stream = body.stream().map_err(|()| "no body".to_owned())?;
    let mut bytes = Vec::new();
    loop {
        wait(&stream.subscribe(), deadline)?;
        match stream.read(CHUNK_BYTES) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
        if bytes.len() > SET_BYTES {
            return Err("too large".to_owned());
        }
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())
}

fn wait(ready: &Pollable, deadline: &Pollable) -> Result<(), String> {
    if poll(&[ready, deadline]).contains(&0) {
        Ok(())
    } else {
        Err("no answer in time".to_owned())
    }
}
