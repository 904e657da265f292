//! The built web client (`clients/web/dist`) as a Spin HTTP component. What is answered to
//! which path is in [`site`]; this file only translates.

pub mod site;

#[cfg(target_family = "wasm")]
mod component {
    use spin_sdk::{
        http::{IncomingRequest, Method, Response},
        http_component,
    };

    use crate::site::{self, FILES, Verb};

    #[http_component]
    fn serve(request: IncomingRequest) -> Response {
        let verb = match request.method() {
            Method::Get => Verb::Get,
            Method::Head => Verb::Head,
            _ => Verb::Other,
        };
        let path = request.path_with_query().unwrap_or_default();
        let known = request.headers().get("if-none-match").into_iter().next();
        let known = known
            .as_deref()
            .and_then(|value| std::str::from_utf8(value).ok());

        let answer = site::answer(FILES, verb, &path, known);
        let mut response = Response::builder();
        response.status(answer.status);
        for (name, value) in answer.headers {
            response.header(name, value);
        }
        response.body(answer.body.to_vec()).build()
    }
}
