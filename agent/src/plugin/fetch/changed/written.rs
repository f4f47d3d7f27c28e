//! Who wrote an object, and when, from `metadata.managedFields`.

use super::super::super::model::changed::Window;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, Time};

/// Writers within Kubernetes, whose writes follow from other changes.
const CONTROLLERS: [&str; 5] =
    ["kube-controller-manager", "kube-scheduler", "kubelet", "kube-apiserver", "cloud-controller-manager"];

/// Milliseconds since the Unix epoch.
pub(super) fn ms(time: Option<&Time>) -> Option<i64> {
    time.map(|time| time.0.as_millisecond())
}

/// The newest write of the object within the window that was no controller's and changed more than the status: when,
/// and the manager's name.
pub(super) fn last_write(meta: &ObjectMeta, window: Window) -> Option<(i64, String)> {
    let by_people = |entry: &&ManagedFieldsEntry| {
        let manager = entry.manager.as_deref().unwrap_or_default();
        entry.subresource.as_deref().unwrap_or_default().is_empty() && !CONTROLLERS.contains(&manager)
    };
    newest(meta.managed_fields.iter().flatten().filter(by_people), window)
}

/// The newest write, at any time, by a manager that owns this field of `spec`. The time is that of the manager's last
/// write of anything: never before the field's own.
pub(super) fn last_write_of(meta: &ObjectMeta, field: &str) -> Option<(i64, String)> {
    let key = format!("f:{field}");
    let sets = |entry: &&ManagedFieldsEntry| {
        entry.fields_v1.as_ref().is_some_and(|fields| !fields.0["f:spec"][key.as_str()].is_null())
    };
    meta.managed_fields.iter().flatten().filter(sets).filter_map(written).max()
}

fn newest<'m>(entries: impl Iterator<Item = &'m ManagedFieldsEntry>, window: Window) -> Option<(i64, String)> {
    entries.filter_map(written).filter(|(at, _)| window.has(*at)).max()
}

/// When, and the manager's name.
fn written(entry: &ManagedFieldsEntry) -> Option<(i64, String)> {
    Some((ms(entry.time.as_ref())?, entry.manager.clone().unwrap_or_default()))
}

/// ` by helm`; empty without a name.
pub(super) fn by(manager: &str) -> String {
    if manager.is_empty() { String::new() } else { format!(" by {manager}") }
}

#[cfg(test)]
pub(super) mod tests;
