//! Prometheus text 0.0.4 out of OpenMetrics text.

/// Converts what `prometheus_client` wrote. In 0.0.4 a counter's HELP and TYPE lines name its samples (with `_total`),
/// and there are no UNIT and EOF lines. Samples are the same in both; no exemplar comes here, and a newline in a label
/// value is escaped, so that a `#` at the start of a line is always metadata.
pub(super) fn from_openmetrics(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4096);
    let mut help: Option<(&str, &str)> = None;
    // Samples are copied in runs: they are nearly all of the text.
    let mut run = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some(meta) = line.strip_prefix("# ") else { continue };
        out.push_str(&text[run..start]);
        run = at;
        let meta = meta.trim_end_matches('\n');
        if let Some((name, words)) = meta.strip_prefix("HELP ").and_then(|m| m.split_once(' ')) {
            help = Some((name, words));
        } else if let Some((name, kind)) = meta.strip_prefix("TYPE ").and_then(|m| m.split_once(' ')) {
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, words)) = help.take().filter(|(of, _)| *of == name) {
                line_of(&mut out, "# HELP ", name, suffix, words);
            }
            line_of(&mut out, "# TYPE ", name, suffix, kind);
        }
    }
    out.push_str(&text[run..]);
    out
}

fn line_of(out: &mut String, keyword: &str, name: &str, suffix: &str, rest: &str) {
    for part in [keyword, name, suffix, " ", rest, "\n"] {
        out.push_str(part);
    }
}

#[cfg(test)]
mod tests;
