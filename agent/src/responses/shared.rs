//! Conversions that several answers share.

use crate::{
    api::{ByLabel, LimitedShares, Subject},
    sample::{Histogram, Tally},
    state::{NodeView, SubjectId, SubjectKind},
};

pub(super) fn subject(view: &NodeView, id: &SubjectId) -> Subject {
    let kind = match id.kind {
        SubjectKind::Unit => "Unit",
        SubjectKind::Container => "Container",
        SubjectKind::Pod => "Pod",
    };
    Subject {
        kind: kind.to_owned(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        workload: id.workload.clone(),
        node: view.node.clone(),
    }
}

pub(super) fn limited(tally: &Tally) -> LimitedShares {
    LimitedShares {
        receiver: tally.receiver_limited_share(),
        send_buffer: tally.send_buffer_limited_share(),
        network: tally.network_limited_share(),
    }
}

pub(super) fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

pub(super) fn quantile<const COUNT: usize>(h: &Histogram<COUNT>, q: f64) -> Option<f64> {
    h.quantile_us(q).map(|us| us / 1e6)
}

pub(super) fn micros(us: u32) -> f64 {
    f64::from(us) / 1e6
}

pub(super) fn micros_f64(us: f64) -> f64 {
    us / 1e6
}

pub(super) fn by_label<T: Copy, const N: usize>(labels: &[&str; N], values: &[T; N]) -> ByLabel<T> {
    labels.iter().zip(values).map(|(label, value)| ((*label).to_owned(), *value)).collect()
}
