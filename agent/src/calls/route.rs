//! Templates of request targets: what identifies one thing among many becomes `:id`, so that targets of one kind have
//! one template. Where in doubt it is an identifier: a template has fewer words then, and tells no secret.

use super::MAX_ROUTE;

/// Segments of a path that are kept.
const DEPTH: usize = 6;
/// Longest segment of words.
const LONG_SEGMENT: usize = 40;
/// Longest word: beyond it are tokens.
const LONG_WORD: usize = 20;
/// Shortest word of hexadecimal digits that is an identifier.
const HEX: usize = 6;
/// Shortest word that is an identifier because it has digits and letters in turns, such as `a1b2c3`.
const TURNS: usize = 3;
/// Shortest run of digits at a word's end that is an identifier. Shorter ones are versions, such as `v1` and `oauth2`.
const RUN: usize = 3;
const ID: &str = ":id";
/// The rest is left out.
const REST: &str = "/~";

/// Whether a template may hold this byte.
pub(super) const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~' | b':' | b'*')
}

/// The template of a request's target. `is_cut`: the target goes on, unseen.
pub(super) fn template(target: &[u8], is_cut: bool) -> String {
    if target == b"*" {
        return "*".to_owned();
    }
    let end = target.iter().position(|byte| matches!(byte, b'?' | b'#' | b';'));
    let is_cut = is_cut && end.is_none();
    let path = without_origin(&target[..end.unwrap_or(target.len())]);
    let mut segments: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()).collect();
    if is_cut && !path.ends_with(b"/") {
        segments.pop();
    }
    let mut template = String::new();
    for (depth, segment) in segments.iter().enumerate() {
        let words = segment_template(segment);
        if depth == DEPTH || template.len() + 1 + words.len() + REST.len() > MAX_ROUTE {
            return template + REST;
        }
        template.push('/');
        template.push_str(&words);
    }
    match (is_cut, template.is_empty()) {
        (true, _) => template + REST,
        (false, true) => "/".to_owned(),
        (false, false) => template,
    }
}

/// The path of a target that names its origin, as those to proxies do.
fn without_origin(target: &[u8]) -> &[u8] {
    let Some(scheme) = target.windows(3).position(|three| three == b"://") else { return target };
    if target.starts_with(b"/") {
        return target;
    }
    let rest = &target[scheme + 3..];
    rest.iter().position(|byte| *byte == b'/').map_or(b"", |path| &rest[path..])
}

/// The template of one segment: words between signs, and what is no word as `:id`.
fn segment_template(segment: &[u8]) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || is_sign(byte);
    if segment.len() > LONG_SEGMENT || !segment.iter().copied().all(is_word) || is_uuid(segment) {
        return ID.to_owned();
    }
    let mut template = String::new();
    for part in segment.chunk_by(|a, b| is_sign(*a) == is_sign(*b)) {
        let text = String::from_utf8_lossy(part);
        match id_at(part) {
            None => template.push_str(&text),
            Some(at) => {
                template.push_str(&text[..at]);
                template.push_str(ID);
            }
        }
    }
    // Identifiers of several parts are one.
    while let Some(at) = joined_ids(&template) {
        template.replace_range(at..=at + ID.len(), "");
    }
    template
}

/// Where two identifiers stand side by side, with one sign between them.
fn joined_ids(template: &str) -> Option<usize> {
    let (bytes, id) = (template.as_bytes(), ID.as_bytes());
    let joined = |nine: &[u8]| nine.starts_with(id) && nine.ends_with(id);
    bytes.windows(ID.len() * 2 + 1).position(joined)
}

const fn is_sign(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b'.' | b'~' | b':')
}

/// Whether a segment is a UUID: hexadecimal digits in groups of 8, 4, 4, 4 and 12.
fn is_uuid(segment: &[u8]) -> bool {
    let groups = segment.split(|byte| *byte == b'-');
    let is_hex = segment.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    is_hex && groups.map(<[u8]>::len).eq([8, 4, 4, 4, 12])
}

/// Where the identifier in a word begins. `None`: there is none.
fn id_at(word: &[u8]) -> Option<usize> {
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let turns = word.windows(2).filter(|two| two[0].is_ascii_digit() != two[1].is_ascii_digit()).count();
    let is_hex = word.len() >= HEX && word.iter().all(u8::is_ascii_hexdigit);
    if word.len() > LONG_WORD || (digits > 0 && (digits == word.len() || is_hex || turns >= TURNS)) {
        return Some(0);
    }
    let run = word.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    if run >= RUN {
        return Some(word.len() - run);
    }
    // A long run that something follows.
    let longest = word.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    let longest = longest.filter(|run| run[0].is_ascii_digit()).map(<[u8]>::len).max();
    longest.is_some_and(|run| run >= RUN).then_some(0)
}

#[cfg(test)]
mod tests;
