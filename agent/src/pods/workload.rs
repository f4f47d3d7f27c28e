//! A Pod's workload from its owner reference and Kubernetes' naming rules, without a request.

/// Digits of the minute that the CronJob controller appends to a Job's name (10 before Kubernetes 1.21: a second).
const CRON_DIGITS: std::ops::RangeInclusive<usize> = 8..=10;

/// `Deployment/payment` for a Pod owned by ReplicaSet `payment-7c9d8f7b5`, when `template_hash` (the Pod's label
/// `pod-template-hash`) is the name's end; `CronJob/backup` for Job `backup-28512345`; else the owner itself.
/// `owner`: (kind, name) of the controlling owner; `None`: the Pod stands alone.
pub(super) fn workload(pod: &str, owner: Option<(&str, &str)>, template_hash: Option<&str>) -> String {
    match owner {
        None => format!("Pod/{pod}"),
        Some(("ReplicaSet", name)) => {
            let stem = template_hash.and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-'));
            match stem.filter(|stem| !stem.is_empty()) {
                Some(deployment) => format!("Deployment/{deployment}"),
                None => format!("ReplicaSet/{name}"),
            }
        }
        Some(("Job", name)) => match name.rsplit_once('-') {
            Some((cron, minute)) if !cron.is_empty() && is_cron_suffix(minute) => format!("CronJob/{cron}"),
            _ => format!("Job/{name}"),
        },
        // A static Pod: its mirror is owned by the Node.
        Some(("Node", node)) => {
            let own = pod.strip_suffix(node).and_then(|stem| stem.strip_suffix('-')).unwrap_or(pod);
            format!("StaticPod/{own}")
        }
        Some((kind, name)) => format!("{kind}/{name}"),
    }
}

fn is_cron_suffix(text: &str) -> bool {
    CRON_DIGITS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
