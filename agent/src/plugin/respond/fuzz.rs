//! Target for fuzzing: what Alertmanager sends, from its bytes to the look-ups that it asks for.

use super::{
    counts::Counts,
    plan::{MOST_ALERTS, MOST_JOBS, Plan},
    seen::Seen,
    target::Naming,
    webhook::{self, MAX_LABELS},
};
use std::time::{Duration, Instant};

const AGAIN_AFTER: Duration = Duration::from_secs(3600);

/// Reads bytes as the body of a request, and plans its look-ups for a cluster and for one agent.
pub(in crate::plugin) fn webhook(data: &[u8]) {
    for naming in [Naming::Kubernetes, Naming::Agent] {
        match webhook::read(data) {
            Ok(delivery) => {
                let sent = delivery.alerts.len();
                check(&Plan::new(delivery, &Seen::new(AGAIN_AFTER), naming, Instant::now()), sent);
            }
            Err(why) => assert!(!why.is_empty(), "refused without a reason"),
        }
    }
}

/// Bounds that hold for the plan of any request with so many alerts.
fn check(plan: &Plan, sent: usize) {
    assert!(plan.jobs.len() <= MOST_JOBS, "{}", plan.jobs.len());
    let mut alerts = plan.over.len();
    for job in &plan.jobs {
        assert!(!job.candidates.is_empty() && (1..=MOST_ALERTS).contains(&job.alerts.len()), "{job:?}");
        alerts += job.alerts.len();
        for asking in &job.alerts {
            let bytes: usize = asking.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
            assert!(!asking.title.is_empty() && bytes <= MAX_LABELS, "{asking:?}");
        }
        for candidate in &job.candidates {
            // People paste it into a shell.
            let command = candidate.command();
            assert!(command.chars().all(|c| c.is_ascii_alphanumeric() || " -._@:/".contains(c)), "{command:?}");
            assert!(!candidate.shown().is_empty(), "{candidate:?}");
        }
    }
    assert!(alerts <= sent, "{alerts} of {sent} alerts");
    plan.count(&Counts::default());
    let _ = plan.left_out();
}
