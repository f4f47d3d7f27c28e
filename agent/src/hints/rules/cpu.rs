//! The Pod's own CPU limit.

use crate::{
    api::BlameKind,
    hints::{
        context::{Context, Subject},
        finding::{Finding, MEASURED, blame, evidence},
        rule::{Family, QueryTemplate, Rule},
        stats::{over, percent},
    },
};

pub(crate) const POD_CPU_THROTTLED: Rule = Rule {
    id: "pod_cpu_throttled",
    family: Family::Cpu,
    order: 400,
    symptom: "cpu_throttling",
    meaning: "The Pod used up its CPU limit and stood still for the rest of the period, while it had TCP traffic to \
              serve. Its callers see think time. The network is not involved.",
    signals: &["netwhy_cpu_throttled_periods_total", "netwhy_cpu_periods_total", "netwhy_cpu_throttled_seconds_total"],
    test: "At least `throttled_share` of the CPU bandwidth periods of the window were throttled. The kernel counts \
           them: no false alarm by chance.",
    minimum: "20 periods (2 s at the usual 100 ms), and victims: at least 10 data segments sent, or 3 handshakes, in \
              the window.",
    ruled_out_by: "No TCP traffic: a throttled batch Pod harms nobody. A health check alone: its wait is not worth a page.",
    action: "Raise or remove the CPU limit, or lower the parallelism (threads) of the process.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "share of periods throttled",
        promql: "sum(rate(netwhy_cpu_throttled_periods_total{S}R)) / sum(rate(netwhy_cpu_periods_total{S}R))",
    }],
};

/// Throttled share from which one window is enough.
const OVERWHELMING_SHARE: f64 = 0.5;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    context.subjects().iter().filter_map(|subject| throttled(context, subject)).collect()
}

fn throttled(context: &Context<'_>, subject: &Subject<'_>) -> Option<Finding> {
    if !subject.is_throttled(context.thresholds) || !subject.has_callers() {
        return None;
    }
    let (throttled, all) = subject.periods()?;
    let cpu = subject.view.window_cpu?;
    let (name, share) = (subject.name(), throttled as f64 / all as f64);
    let quota = match cpu.limit_millicores {
        Some(m) => format!("its limit of {:.2} cores", m as f64 / 1000.0),
        None => "a limit above its own cgroup".to_owned(),
    };
    let cores = cpu.usage_us as f64 / 1e6 / context.window.as_secs_f64();
    Some(Finding {
        nats: over(share, context.thresholds.throttled_share),
        covers: MEASURED,
        overwhelming: share >= OVERWHELMING_SHARE.max(context.thresholds.throttled_share),
        summary: format!(
            "{name} is throttled by {quota}: {throttled} of {all} periods ({}), {:.1} s without CPU in the window",
            percent(share),
            cpu.throttled_us as f64 / 1e6
        ),
        evidence: vec![
            evidence("netwhy_cpu_throttled_periods_total", throttled as f64, "periods", name, "cpu.stat"),
            evidence("netwhy_cpu_periods_total", all as f64, "periods", name, "cpu.stat"),
            evidence("netwhy_cpu_throttled_seconds_total", cpu.throttled_us as f64 / 1e6, "seconds", name, "cpu.stat"),
            evidence("cpu_usage", cores, "cores", name, "cpu.stat"),
        ],
        ..Finding::new(&POD_CPU_THROTTLED, subject.ix, blame(BlameKind::Pod, name))
    })
}

#[cfg(test)]
mod tests;
