//! Sums of kernel rows in user space: of a subject's life, of a window, of an edge.

use netwhy_abi::*;

netwhy_abi::rows!(declare_sums! {});

fn network_jiffies(growth: &Tally) -> u64 {
    growth.busy_jiffies.saturating_sub(growth.rwnd_jiffies).saturating_sub(growth.sndbuf_jiffies)
}

impl Lookups {
    /// Lookups that ended, with or without an answer.
    pub fn count(&self) -> u64 {
        self.answered + self.unanswered
    }

    /// See [`independence`].
    pub fn independence(&self) -> f64 {
        independence(self.count(), self.squares)
    }

    /// Answers with one code.
    pub fn code(&self, code: DnsCode) -> u64 {
        self.codes[code as usize]
    }

    /// Answers by which a server says that it can't answer.
    pub fn errors(&self) -> u64 {
        [DnsCode::Refused, DnsCode::ServFail, DnsCode::Other].into_iter().map(|code| self.code(code)).sum()
    }

    /// Answers that named an address, or so many of all answers as of those whose code was seen: busy Nodes see the codes
    /// of 1 in 8.
    pub fn found(&self) -> f64 {
        self.answered as f64 * self.code(DnsCode::NoError) as f64 / self.coded().max(1) as f64
    }

    /// Answers whose code was seen.
    pub fn coded(&self) -> u64 {
        self.codes.iter().sum()
    }
}

/// Part of a weighted count that is worth as much as a count of all: 1 when each counted for itself, 1/16 when each
/// stands for 16 (Kish's effective sample size, per count). Tests of significance take counts times this. `squares`: sum
/// of the squared weights; 0 in recordings that don't have it.
fn independence(count: u64, squares: u64) -> f64 {
    if squares > count { count as f64 / squares as f64 } else { 1.0 }
}

/// Stages of the response times of one role, in the order of a request.
pub const fn stage_names(role: Role) -> &'static [&'static str] {
    match role {
        Role::Client => &["network", "retransmission", "peer"],
        Role::Server => &["unread", "application"],
    }
}

/// The stage of a server's response times of which no read was seen.
pub const UNDIVIDED: &str = "undivided";

impl Responses {
    /// See [`independence`].
    pub fn independence(&self) -> f64 {
        independence(self.durations.count(), self.squares)
    }

    /// The stages of its response times, in the order of a request, µs. They add up to the sum of the durations. A
    /// server's are [`UNDIVIDED`] where no read was seen, as on a busy machine in a short time.
    pub fn stages(&self, role: Role) -> Vec<(&'static str, u64)> {
        let whole = self.durations.sum_us;
        let divided = self.unread_us + self.application_us;
        match role {
            Role::Client => self.stage_totals(role),
            Role::Server if divided == 0 => vec![(UNDIVIDED, whole)],
            Role::Server => {
                let unread = (u128::from(whole) * u128::from(self.unread_us) / u128::from(divided)) as u64;
                vec![("unread", unread), ("application", whole - unread)]
            }
        }
    }

    /// The same as they were counted: they never fall while it grows. On a busy machine a server's add up to the sum of
    /// the durations on average only.
    pub fn stage_totals(&self, role: Role) -> Vec<(&'static str, u64)> {
        match role {
            Role::Client => {
                let rest = self.durations.sum_us.saturating_sub(self.network_us + self.retransmission_us);
                vec![("network", self.network_us), ("retransmission", self.retransmission_us), ("peer", rest)]
            }
            // Nothing is known yet, which is not zero.
            Role::Server if self.unread_us + self.application_us == 0 => Vec::new(),
            Role::Server => vec![("unread", self.unread_us), ("application", self.application_us)],
        }
    }
}

impl Tally {
    /// The peer acknowledged or sent data, or shook hands.
    pub fn has_answer(&self) -> bool {
        self.bytes_acked > 0 || self.bytes_received > 0 || self.connects.iter().sum::<u64>() > 0
    }

    /// Retransmitted segments without the spurious ones, which are a subset of the rest.
    pub fn retransmitted(&self) -> u64 {
        let all: u64 = self.retransmits.iter().sum();
        all - self.retransmits[Retransmit::Spurious as usize]
    }

    /// Tail loss probes and timeouts that were not needed (the peer said that it had the data already): what they stood
    /// for was late, not lost.
    pub fn needless(&self) -> u64 {
        let of = |kind: Retransmit| self.retransmits[kind as usize];
        // Unclassified ones begin no episode, and may have been as needless.
        let timers = of(Retransmit::TailLossProbe) + of(Retransmit::Timeout);
        of(Retransmit::Spurious).saturating_sub(of(Retransmit::Unclassified)).min(timers)
    }

    /// Fast retransmissions that were needless for certain. Each needless timeout, probe or handshake segment, and each
    /// segment of unknown kind, may be what another duplicate was. Duplicates of segments that this end sent once are
    /// copies that the network made: they say nothing about any retransmission.
    pub fn needless_fast(&self) -> u64 {
        let of = |kind: Retransmit| self.retransmits[kind as usize];
        let others = self.retransmitted() - of(Retransmit::Fast);
        of(Retransmit::Spurious).saturating_sub(others).min(of(Retransmit::Fast))
    }

    /// The same without the episodes that [`Tally::needless`] began: for windows. Sums since the start keep them, as
    /// the kernel tells of a needless one only after it was counted, and counters never fall.
    #[must_use]
    pub fn without_needless(self) -> Self {
        Self { loss_episodes: self.needed_loss_episodes(), ..self }
    }

    /// Loss episodes without those that [`Tally::needless`] began.
    pub fn needed_loss_episodes(&self) -> u64 {
        self.loss_episodes.saturating_sub(self.needless())
    }

    /// Retransmitted data segments (no SYN, no SYN-ACK).
    pub fn retransmitted_data(&self) -> u64 {
        self.retransmitted()
            - self.retransmits[Retransmit::Syn as usize]
            - self.retransmits[Retransmit::SynAck as usize]
    }

    /// Retransmitted data segments per data segment sent, 0 … 1. `None` when no data was sent.
    pub fn retransmit_ratio(&self) -> Option<f64> {
        ratio(self.retransmitted_data(), self.data_segs_out)
    }

    /// Loss episodes per data segment sent. `None` when no data was sent.
    pub fn episode_ratio(&self) -> Option<f64> {
        ratio(self.loss_episodes, self.data_segs_out)
    }

    /// Share of the busy time that the peer's window held senders back, 0 … 1. `None` without busy time.
    pub fn receiver_limited_share(&self) -> Option<f64> {
        ratio(self.rwnd_jiffies, self.busy_jiffies)
    }

    /// Share of the busy time that the local send buffer held senders back, 0 … 1. `None` without busy time.
    pub fn send_buffer_limited_share(&self) -> Option<f64> {
        ratio(self.sndbuf_jiffies, self.busy_jiffies)
    }

    /// Share of the busy time that neither window nor buffer held senders back, 0 … 1. `None` without busy time.
    pub fn network_limited_share(&self) -> Option<f64> {
        ratio(self.network_jiffies, self.busy_jiffies)
    }

    /// Number of sampled reply times.
    pub fn reply_count(&self) -> u64 {
        self.replies.iter().sum()
    }

    /// The `q` quantile of the sampled reply times, s, 0 ≤ q ≤ 1, to the nearest power of two of a jiffy: from a
    /// client's last data sent to the first data received after it. `None` without samples.
    pub fn reply_quantile_seconds(&self, q: f64, hz: u32) -> Option<f64> {
        let rank = (q * self.reply_count() as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.replies.iter().position(|n| {
            seen += n;
            seen >= rank
        })?;
        // The geometric middle of 2ⁿ⁻¹ … 2ⁿ jiffies; half a jiffy for less than one.
        let jiffies = if bucket == 0 { 0.5 } else { 2f64.powi(bucket as i32 - 1) * std::f64::consts::SQRT_2 };
        Some(jiffies / f64::from(hz.max(1)))
    }

    /// Completed handshakes of one role.
    pub fn connects(&self, role: Role) -> u64 {
        self.connects[role as usize]
    }

    /// Failed attempts, without those that only lost a race between addresses.
    pub fn failed_attempts(&self) -> u64 {
        self.connect_failures.iter().sum::<u64>() - self.failures(Failure::Raced)
    }

    /// Failed attempts for one reason.
    pub fn failures(&self, reason: Failure) -> u64 {
        self.connect_failures[reason as usize]
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
