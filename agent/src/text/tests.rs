use super::*;
use std::sync::{Arc, Mutex};

/// Every character that no output may hold raw: all controls, and the format characters that hide or reorder text.
/// Written out here, so that the table is checked against a second list.
pub(crate) fn hostile() -> Vec<char> {
    let ranges = ['\0'..='\x1f', '\x7f'..='\u{9f}', '\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}'];
    let more = ['\u{2060}'..='\u{2069}', '\u{e0000}'..='\u{e007f}', '\u{fe00}'..='\u{fe0f}'];
    let single = ['\u{ad}', '\u{34f}', '\u{61c}', '\u{180e}', '\u{feff}', '\u{fffb}', '\u{3164}', '\u{115f}'];
    ranges.into_iter().chain(more).flatten().chain(single).collect()
}

/// A text with every hostile character, and sequences that terminals obey.
pub(crate) fn mark() -> String {
    let all: String = hostile().into_iter().collect();
    format!("{all}\x1b[31mEVIL\x1b]52;c;ZXZpbA==\x07\rOVER\x08\u{9b}2J\nerror: forged")
}

/// Panics if a text has a raw hostile character. Line breaks are allowed.
#[track_caller]
pub(crate) fn assert_safe(place: &str, text: &str) {
    let raw: Vec<char> = hostile().into_iter().filter(|c| *c != '\n' && text.contains(*c)).collect();
    assert!(raw.is_empty(), "{place}: raw {raw:?}");
    let forged = text.lines().find(|line| line.starts_with("error: forged"));
    assert!(forged.is_none(), "{place}: a line break from outside");
}

#[test]
fn every_hidden_character_is_visible_and_others_stay() {
    for c in hostile() {
        let text = printable(c.encode_utf8(&mut [0; 4])).into_owned();
        assert!(text.starts_with('\\') && text.bytes().all(|byte| byte.is_ascii_graphic()), "{c:?}: {text}");
    }
    assert_eq!(printable("a\x1b[31m\n\u{9b}\u{202e}"), "a\\x1b[31m\\n\\x9b\\u{202e}");
    for plain in ["pod/payment-1 \\ \"x\"", "– µs → Ünïcode 日本語 🙂", ""] {
        assert!(matches!(printable(plain), Cow::Borrowed(_)), "{plain}");
    }
}

#[test]
fn json_keeps_its_meaning() {
    let value = serde_json::json!({ "a": mark(), "b": ["\u{e0041}"] });
    let text = json(&serde_json::to_string_pretty(&value).unwrap()).into_owned();
    assert_safe("json", &text);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
}

#[test]
fn only_the_methods_of_a_text_add_styles_and_line_breaks() {
    let mut text = Text::styled("31", &mark());
    text.push(&mark());
    assert_eq!((text.matches('\x1b').count(), text.lines().count()), (2, 1));
    text.end_line();
    text.append(&Text::new("end  "));
    assert!(text.trimmed().ends_with("\nend"));
    assert_eq!(&*Text::lines("a\x1b\nb\n"), "a\\x1b\nb\n");
    assert_eq!(&*Text::joined([Text::new("a"), Text::new("b")]), "a\nb");
}

/// Collects a log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Logs hidden characters in the message and in fields of every kind.
fn write_log() {
    let mark = mark();
    let error = io::Error::other(mark.clone());
    tracing::warn!(text = mark, shown = %mark, debug = ?mark, error = &error as &dyn std::error::Error, "log {mark}");
    tracing::info_span!("span", field = %mark).in_scope(|| tracing::info!("within"));
}

#[test]
fn no_log_has_raw_hidden_characters() {
    let text = Log::default();
    let make = text.clone();
    let plain = tracing_subscriber::fmt().with_ansi(false).with_target(false).fmt_fields(log::PrintableFields);
    tracing::subscriber::with_default(plain.with_writer(move || make.clone()).finish(), write_log);
    assert_safe("text", &text.text());
    assert_eq!(text.text().lines().count(), 2, "{}", text.text());
    assert!(text.text().contains("\\x1b[31mEVIL"), "{}", text.text());

    let coloured = Log::default();
    let make = coloured.clone();
    let ansi = tracing_subscriber::fmt().with_ansi(true).with_target(false).fmt_fields(log::PrintableFields);
    tracing::subscriber::with_default(ansi.with_writer(move || make.clone()).finish(), write_log);
    assert!(!coloured.text().contains("\x1b[31mEVIL") && !coloured.text().contains('\u{202e}'));

    let lines = Log::default();
    let make = lines.clone();
    let json = tracing_subscriber::fmt().json().flatten_event(true);
    tracing::subscriber::with_default(json.with_writer(move || log::JsonLines(make.clone())).finish(), write_log);
    assert_safe("json", &lines.text());
    for line in lines.text().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert_eq!(lines.text().lines().count(), 2);
}
