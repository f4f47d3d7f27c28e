use super::*;
use crate::{
    metrics::fixture::{healthy_pod, hint, view},
    plugin::model::testing::poisoned,
    text::tests::{assert_safe, mark},
};

#[test]
fn no_format_shows_hidden_characters() {
    let mut subject = healthy_pod(&mark(), &mark());
    subject.id.workload = mark();
    let hint = poisoned(&hint(&mark(), &mark(), "path_loss"));
    let replayed =
        Replayed { view: Arc::new(view(vec![subject])), changes: vec![(Duration::ZERO, hint)], snapshots: 1 };
    for format in [ReplayFormat::Table, ReplayFormat::Json, ReplayFormat::Metrics] {
        let text = render(&replayed, format).unwrap();
        assert_safe(&format!("{format:?}"), &text);
        assert!(text.contains("EVIL"), "{format:?}: {}", &*text);
    }
}
