use super::*;
use std::{fs, path::Path};

#[test]
fn committed_page_equals_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == metrics_md(), "docs/metrics.md is not current: run `cargo xtask docs`");
}

#[test]
fn every_metric_is_on_the_page() {
    let page = metrics_md();
    for metric in METRICS.into_iter().flatten().chain(CONVENTIONS) {
        assert!(page.contains(&format!("\n| `{}` | {} |", metric.name, metric.kind.label())), "{}", metric.name);
    }
}
