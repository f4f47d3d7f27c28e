//! The first line of a request, and of an answer.

use super::{Method, route::template};

/// Method and route of a request that begins with these bytes. `None`: it is no HTTP/1 request.
pub(super) fn request(bytes: &[u8]) -> Option<(Method, String)> {
    // Without room for headers the parser ends after the first line.
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse(bytes);
    let method = Method::find(request.method?)?;
    if let Some(target) = request.path.filter(|_| is_first_line(parsed.err())) {
        return Some((method, route(method, target.as_bytes(), false)));
    }
    // The bytes end within the target.
    let target = bytes.get(method.label().len() + 1..).filter(|rest| !rest.is_empty())?;
    let is_cut = matches!(parsed, Ok(httparse::Status::Partial)) && target.iter().all(u8::is_ascii_graphic);
    is_cut.then(|| (method, route(method, target, true)))
}

/// Status of the answer that begins with these bytes: of the final one, if it is among them. `None`: it is none of
/// HTTP/1.
pub(super) fn status(bytes: &[u8]) -> Option<u16> {
    let mut response = httparse::Response::new(&mut []);
    let parsed = response.parse(bytes);
    let status = response.code.filter(|code| (100..1_000).contains(code) && is_first_line(parsed.err()))?;
    if !is_interim(status) {
        return Some(status);
    }
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let next = end.and_then(|end| self::status(&bytes[end + 4..]));
    Some(next.unwrap_or(status))
}

/// Whether the final answer follows an answer with this status.
pub(super) const fn is_interim(status: u16) -> bool {
    status < 200 && status != 101
}

/// Whether the first line was read, so far as it is there: the parser has no room for what follows.
const fn is_first_line(error: Option<httparse::Error>) -> bool {
    matches!(error, None | Some(httparse::Error::TooManyHeaders))
}

/// The route of a request's target.
fn route(method: Method, target: &[u8], is_cut: bool) -> String {
    match method {
        // The target is a host.
        Method::Connect => "~host".to_owned(),
        _ => template(target, is_cut),
    }
}

#[cfg(test)]
mod tests;
