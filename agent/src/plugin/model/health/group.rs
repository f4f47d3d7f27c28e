//! Measurements of many Pods together.

use super::{Fact, Health, lookups, no_lookups};
use crate::api::{DnsLookups, DurationQuantiles, PodRow, PodWindow};

impl Health {
    /// Adds the agents' measurements of the Pods of a group: what adds up.
    pub fn of_group(&mut self, rows: &[&PodRow]) {
        let windows: Vec<&PodWindow> = rows.iter().map(|row| &row.window).collect();
        let segments: u64 = windows.iter().map(|w| w.counts.segments_sent).sum();
        let episodes: u64 = windows.iter().map(|w| w.counts.loss_episodes).sum();
        let text = format!("{episodes} loss episodes in {segments} segments sent by {} Pods", rows.len());
        self.add("loss", (segments > 0).then_some((episodes == 0, text)), "its Pods sent nothing in the window");
        self.add("DNS", all_lookups(&windows).as_ref().map(lookups), &no_lookups(&windows));
        if windows.is_empty() {
            self.no_data.extend(["resets", "drops"].map(|what| Fact::new(what, "none of its Pods was measured")));
        } else {
            self.of_events(&windows);
        }
    }
}

/// The lookups of all windows, without durations: percentiles don't add up. `None`: there were none.
fn all_lookups(windows: &[&PodWindow]) -> Option<DnsLookups> {
    let durations = DurationQuantiles { p50_seconds: None, p99_seconds: None };
    let none = DnsLookups { answered: 0, unanswered: 0, codes: Default::default(), second_missing: 0, durations };
    windows.iter().filter_map(|w| w.dns.as_ref()).fold(None, |sum, one| {
        let mut sum = sum.unwrap_or_else(|| none.clone());
        sum.answered += one.answered;
        sum.unanswered += one.unanswered;
        sum.second_missing += one.second_missing;
        one.codes.iter().for_each(|(code, n)| *sum.codes.entry(code.clone()).or_default() += n);
        Some(sum)
    })
}

#[cfg(test)]
mod tests;
