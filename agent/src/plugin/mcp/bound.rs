//! Cuts an answer to what an assistant can take.

use crate::text;
use serde_json::{Map, Value};

/// Longest answer, bytes.
pub(super) const MAX_BYTES: usize = 4096;
/// Longest text within it at first, characters.
const MAX_TEXT: usize = 400;
/// Shortest one that texts are cut to.
const MIN_TEXT: usize = 20;
/// Key of the numbers of cut items, by list.
const LEFT_OFF: &str = "left_off";

/// The answer as JSON of at most [`MAX_BYTES`]. The ends of the longest lists go first, then the ends of texts.
/// `left_off` counts the items that went.
pub(in crate::plugin) fn text(mut answer: Value) -> String {
    let mut longest = MAX_TEXT;
    loop {
        shorten(&mut answer, longest);
        let text = written(&answer);
        if text.len() <= MAX_BYTES {
            return text;
        }
        if !drop_last(&mut answer) {
            if longest <= MIN_TEXT {
                return line("the answer is too long; ask about less");
            }
            longest /= 2;
        }
    }
}

/// One line of text, bounded.
pub(super) fn line(line: &str) -> String {
    let mut out = text::printable(line).into_owned();
    let end = (0..=MAX_BYTES.min(out.len())).rev().find(|end| out.is_char_boundary(*end));
    out.truncate(end.unwrap_or(0));
    out
}

/// JSON whose hidden characters are escaped.
fn written(value: &Value) -> String {
    text::json(&value.to_string()).into_owned()
}

/// Cuts each text to so many characters.
fn shorten(value: &mut Value, longest: usize) {
    match value {
        Value::String(text) if text.chars().count() > longest => {
            *text = text.chars().take(longest - 1).chain(['…']).collect();
        }
        Value::Array(items) => items.iter_mut().for_each(|item| shorten(item, longest)),
        Value::Object(map) => map.values_mut().for_each(|item| shorten(item, longest)),
        _ => {}
    }
}

/// Drops the last item of the longest list of the answer. False: all lists are empty or have one item.
fn drop_last(answer: &mut Value) -> bool {
    let Value::Object(map) = answer else { return false };
    let size = |items: &Vec<Value>| items.iter().map(|item| item.to_string().len()).sum::<usize>();
    let lists = map.iter().filter_map(|(key, value)| Some((key, value.as_array().filter(|items| items.len() > 1)?)));
    let Some(key) = lists.max_by_key(|(_, items)| size(items)).map(|(key, _)| key.clone()) else { return false };
    if let Some(Value::Array(items)) = map.get_mut(&key) {
        items.pop();
    }
    let left_off = map.entry(LEFT_OFF).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(counts) = left_off {
        let count = counts.get(&key).and_then(Value::as_u64).unwrap_or(0);
        counts.insert(key, Value::from(count + 1));
    }
    true
}

#[cfg(test)]
mod tests;
