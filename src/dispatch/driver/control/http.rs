//! The little HTTP/1.1 that who collects metrics speaks (RFC 9112). Pure.

use httparse::{EMPTY_HEADER, Error, Request};

/// The longest head of a request, in bytes: what browsers send is some hundreds.
pub(crate) const LONGEST: usize = 8 * 1024;

/// The most headers: browsers send some twenty.
const HEADERS: usize = 64;

/// The type of Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What becomes of it.
    pub(crate) status: Status,
    /// Whether it wants the headers of the answer alone.
    pub(crate) head: bool,
}

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    BadRequest,
    NotFound,
    NotAllowed,
    TooLarge,
    Unavailable,
    Version,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::NotAllowed => "405 Method Not Allowed",
            Self::TooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
            Self::Version => "505 HTTP Version Not Supported",
        }
    }
}

/// What was sent asks for; none while it is not whole. What follows the head, such as a body, is of no interest.
pub(crate) fn read(sent: &[u8]) -> Option<Asked> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = Request::new(&mut headers);
    let refused = |status| Some(Asked { status, head: false });
    match request.parse(sent) {
        Ok(done) if done.is_complete() => Some(judge(&request)),
        Ok(_) if sent.len() >= LONGEST => refused(Status::TooLarge),
        Ok(_) => None,
        Err(Error::TooManyHeaders) => refused(Status::TooLarge),
        Err(Error::Version) => refused(Status::Version),
        Err(_) => refused(Status::BadRequest),
    }
}

fn judge(request: &Request<'_, '_>) -> Asked {
    let head = request.method == Some("HEAD");
    let hosts = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host")).count();
    // Section 3.2: an HTTP/1.1 request has one.
    let well_formed = hosts == 1 || (hosts == 0 && request.version == Some(0));
    let status = match request.method {
        _ if !well_formed => Status::BadRequest,
        _ if !request.path.is_some_and(is_metrics) => Status::NotFound,
        Some("GET" | "HEAD") => Status::Ok,
        _ => Status::NotAllowed,
    };
    Asked { status, head }
}

/// Whether it is `/metrics`, with a query or without, by itself or behind `http://HOST`.
fn is_metrics(target: &str) -> bool {
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    path.split('?').next() == Some("/metrics")
}

/// The answer to it, after which the connection ends. `metrics` are those of [`Status::Ok`].
pub(crate) fn answer(asked: Asked, metrics: &str) -> Vec<u8> {
    let line = asked.status.line();
    let (kind, body) = match asked.status {
        Status::Ok => (METRICS, metrics.to_owned()),
        Status::NotFound => ("text/plain; charset=utf-8", "the metrics are at /metrics\n".to_owned()),
        _ => ("text/plain; charset=utf-8", format!("{line}\n")),
    };
    let allow = if asked.status == Status::NotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    let mut answer = format!(
        "HTTP/1.1 {line}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}Connection: close\r\n\r\n",
        body.len()
    );
    if !asked.head {
        answer += &body;
    }
    answer.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(request: &str) -> Option<Status> {
        read(request.as_bytes()).map(|asked| asked.status)
    }

    #[test]
    fn a_request_is_answered_by_what_it_asks_for() {
        for (line, expected) in [
            ("GET /metrics HTTP/1.1", Status::Ok),
            ("HEAD /metrics HTTP/1.1", Status::Ok),
            ("GET /metrics?collect=all HTTP/1.1", Status::Ok),
            ("GET http://localhost:9469/metrics HTTP/1.1", Status::Ok),
            ("GET / HTTP/1.1", Status::NotFound),
            ("GET /metrics/ HTTP/1.1", Status::NotFound),
            ("GET http://localhost HTTP/1.1", Status::NotFound),
            ("POST /metrics HTTP/1.1", Status::NotAllowed),
            ("get /metrics HTTP/1.1", Status::NotAllowed),
            ("GET /metrics HTTP/2.0", Status::Version),
            ("GET /metrics", Status::BadRequest),
            ("\u{1}\u{2}", Status::BadRequest),
        ] {
            assert_eq!(status(&format!("{line}\r\nHost: x\r\n\r\n")), Some(expected), "{line}");
        }
        assert_eq!(status("GET /metrics HTTP/1.0\r\n\r\n"), Some(Status::Ok));
        assert_eq!(status("GET /metrics HTTP/1.1\r\n\r\n"), Some(Status::BadRequest), "no host");
        assert_eq!(status("GET /metrics HTTP/1.1\r\nHost: x"), None);
    }

    #[test]
    fn a_request_that_has_no_end_is_too_large() {
        let begun = "GET /metrics HTTP/1.1\r\nX: ";
        assert_eq!(status(&format!("{begun}{}", "y".repeat(LONGEST - begun.len() - 1))), None);
        assert_eq!(status(&format!("{begun}{}", "y".repeat(LONGEST))), Some(Status::TooLarge));
        assert_eq!(status(&"\r\n".repeat(LONGEST)), Some(Status::TooLarge));
        let headers = "X: y\r\n".repeat(HEADERS + 1);
        assert_eq!(status(&format!("GET / HTTP/1.1\r\n{headers}\r\n")), Some(Status::TooLarge));
    }

    #[test]
    fn an_answer_says_how_long_it_is_and_head_has_no_body() {
        let text = |head| String::from_utf8(answer(Asked { status: Status::Ok, head }, "a 1\n")).unwrap();
        let (head, whole) = (text(true), text(false));
        assert!(head.contains("\r\nContent-Length: 4\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        assert_eq!(whole, head + "a 1\n");
    }
}
