//! Path → answer, without IO.

/// The files of the built client; empty in a native build of a clone that has not built it.
pub static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// One embedded file.
pub struct File {
    /// As in the URL, with the leading slash.
    pub path: &'static str,
    /// 32 hex digits of the SHA-256 of `body`.
    pub tag: &'static str,
    pub body: &'static [u8],
}

/// What of an HTTP method matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    Get,
    Head,
    Other,
}

/// An HTTP response.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: &'static [u8],
}

const INDEX: &str = "/index.html";

/// Files below it have a digest in their name, so a name never changes its content.
const HASHED: &str = "/assets/";

/// What the client may load, and from where. `data:` is for the small images and fonts that Vite
/// puts into the styles. The socket may live on another origin (`GET /api/v1/config` says which).
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; font-src 'self' data:; \
     connect-src 'self' ws: wss:; object-src 'none'; base-uri 'self'; form-action 'self'; \
     frame-ancestors 'none'";

/// Answers `verb path`. `path` may carry a query, which is ignored; `known` is the value of
/// `If-None-Match`.
pub fn answer(files: &[File], verb: Verb, path: &str, known: Option<&str>) -> Answer {
    if verb == Verb::Other {
        let allow = ("allow", "GET, HEAD".to_owned());
        return text(405, "method not allowed\n", verb).with(allow);
    }
    let path = path.split('?').next().unwrap_or_default();
    let Some(file) = find(files, path) else {
        return text(404, "not found\n", verb);
    };
    let etag = format!("\"{}\"", file.tag);
    let is_known = known.is_some_and(|known| names(known, &etag));
    let caching = [
        ("etag", etag),
        ("cache-control", cache_control(file).to_owned()),
    ];
    let answer = if is_known {
        Answer::new(304, b"")
    } else {
        // No `content-length`: hosts hold a body to it, also the empty one of HEAD.
        let content_type = ("content-type", content_type(file.path).to_owned());
        Answer::new(200, if verb == Verb::Head { b"" } else { file.body }).with(content_type)
    };
    caching.into_iter().fold(answer, Answer::with)
}

/// The file of a path. A path without an extension is a place inside the client, which its
/// own router knows: `index.html`.
fn find<'a>(files: &'a [File], path: &str) -> Option<&'a File> {
    let named = |name: &str| files.iter().find(|file| file.path == name);
    let last_segment = path.rsplit('/').next().unwrap_or_default();
    match named(path) {
        None if !last_segment.contains('.') && !path.starts_with(HASHED) => named(INDEX),
        found => found,
    }
}

fn cache_control(file: &File) -> &'static str {
    if file.path.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        // May be kept, but is asked for each time: an old index.html would name assets that are gone.
        "no-cache"
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

/// True if an `If-None-Match` names `etag`, compared weakly as RFC 9110 asks for GET.
fn names(known: &str, etag: &str) -> bool {
    known
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

fn text(status: u16, sentence: &'static str, verb: Verb) -> Answer {
    let body = if verb == Verb::Head { "" } else { sentence };
    Answer::new(status, body.as_bytes()).with(("content-type", content_type(".txt").to_owned()))
}

impl Answer {
    fn new(status: u16, body: &'static [u8]) -> Self {
        let headers = [
            ("content-security-policy", CONTENT_SECURITY_POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ];
        let headers = headers.map(|(name, value)| (name, value.to_owned())).into();
        Self {
            status,
            headers,
            body,
        }
    }

    fn with(mut self, header: (&'static str, String)) -> Self {
        self.headers.push(header);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &[File] = &[
        File {
            path: INDEX,
            tag: "1",
            body: b"<!doctype html>",
        },
        File {
            path: "/favicon.svg",
            tag: "2",
            body: b"<svg/>",
        },
        File {
            path: "/assets/index-a1b2.js",
            tag: "3",
            body: b"start()",
        },
    ];

    fn get(path: &str) -> Answer {
        answer(SITE, Verb::Get, path, None)
    }

    fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
        let found = answer.headers.iter().find(|(known, _)| *known == name)?;
        Some(&found.1)
    }

    #[test]
    fn each_path_has_its_answer() {
        const NONE: &str = "";
        let cases: &[(&str, u16, &str, &str)] = &[
            ("/", 200, "text/html; charset=utf-8", "<!doctype html>"),
            (
                "/index.html",
                200,
                "text/html; charset=utf-8",
                "<!doctype html>",
            ),
            (
                "/?room=tech",
                200,
                "text/html; charset=utf-8",
                "<!doctype html>",
            ),
            (
                "/rooms/general",
                200,
                "text/html; charset=utf-8",
                "<!doctype html>",
            ),
            (
                "/v1.2/rooms",
                200,
                "text/html; charset=utf-8",
                "<!doctype html>",
            ),
            ("", 200, "text/html; charset=utf-8", "<!doctype html>"),
            ("/favicon.svg", 200, "image/svg+xml", "<svg/>"),
            (
                "/assets/index-a1b2.js?x=1",
                200,
                "text/javascript; charset=utf-8",
                "start()",
            ),
            (
                "/assets/index-old.js",
                404,
                "text/plain; charset=utf-8",
                "not found\n",
            ),
            (
                "/assets/index",
                404,
                "text/plain; charset=utf-8",
                "not found\n",
            ),
            (
                "/robots.txt",
                404,
                "text/plain; charset=utf-8",
                "not found\n",
            ),
            (
                "/../Cargo.toml",
                404,
                "text/plain; charset=utf-8",
                "not found\n",
            ),
        ];
        for (path, status, content_type, body) in cases {
            let answer = get(path);
            assert_eq!(answer.status, *status, "{path}");
            assert_eq!(
                header(&answer, "content-type").unwrap_or(NONE),
                *content_type,
                "{path}"
            );
            assert_eq!(answer.body, body.as_bytes(), "{path}");
        }
    }

    #[test]
    fn only_names_with_a_digest_are_kept_for_ever() {
        let asset = get("/assets/index-a1b2.js");
        assert_eq!(
            header(&asset, "cache-control"),
            Some("public, max-age=31536000, immutable")
        );
        for path in ["/", "/rooms/general", "/favicon.svg"] {
            assert_eq!(
                header(&get(path), "cache-control"),
                Some("no-cache"),
                "{path}"
            );
        }
        assert_eq!(header(&get("/robots.txt"), "cache-control"), None);
    }

    #[test]
    fn known_file_is_not_sent_again() {
        for known in ["\"3\"", "W/\"3\"", "\"9\", \"3\"", "*"] {
            let answer = answer(SITE, Verb::Get, "/assets/index-a1b2.js", Some(known));
            assert_eq!(answer.status, 304, "{known}");
            assert!(answer.body.is_empty());
            assert_eq!(header(&answer, "etag"), Some("\"3\""));
            assert!(header(&answer, "cache-control").is_some());
        }
        let changed = answer(SITE, Verb::Get, "/assets/index-a1b2.js", Some("\"2\""));
        assert_eq!(changed.status, 200);
    }

    #[test]
    fn head_has_the_headers_of_get_and_no_body() {
        for path in ["/", "/favicon.svg", "/robots.txt"] {
            let head = answer(SITE, Verb::Head, path, None);
            let get = get(path);
            assert_eq!(
                (head.status, head.headers),
                (get.status, get.headers),
                "{path}"
            );
            assert!(head.body.is_empty());
        }
    }

    #[test]
    fn other_methods_are_told_what_is_allowed() {
        let answer = answer(SITE, Verb::Other, "/", None);
        assert_eq!(answer.status, 405);
        assert_eq!(header(&answer, "allow"), Some("GET, HEAD"));
    }

    #[test]
    fn every_answer_carries_the_security_headers() {
        for path in ["/", "/assets/index-a1b2.js", "/robots.txt"] {
            let answer = get(path);
            for name in [
                "content-security-policy",
                "x-content-type-options",
                "referrer-policy",
            ] {
                assert!(header(&answer, name).is_some(), "{path}: {name}");
            }
        }
    }
}
