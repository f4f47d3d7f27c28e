//! Packets that this Node drops: connection tracking, interfaces, queue disciplines, receive backlogs.

use crate::{
    api::{BlameKind, Evidence, RuledOut},
    hints::{
        context::Context,
        culprit::victims::{self, Reach, Victim},
        finding::{Finding, blame, evidence},
        rule::{Family, QueryTemplate, Rule},
        stats::{LOSS_ALPHA, OVERWHELMING_ALPHA, over, percent, poisson_tail_ln},
    },
    sample::{Device, Gauge, HostKey, Signal},
    state::HostView,
};

const TEST_TAIL: &str = "The drops exceed the Node's own baseline (half-life 5 min, at least one drop per 10 s). The \
                         test is the Poisson upper tail, with a false-alarm rate of 1e-6 per window and counter. Drops \
                         come in bursts, so they must also be three times the baseline. A victim suffers at the same \
                         time: loss episodes of one Pod above the baseline of its edges, at 1e-3. The joint rate is \
                         1e-9 per window and Pod where both are independent in normal times.";
const MINIMUM: &str = "10 drops in the window, and one for every two loss episodes of the victims. A victim with 3 \
                       episodes and `loss_ratio`, or `syn_retransmits` resent SYNs, or `connect_failures` attempts \
                       without an answer.";
const RULED_OUT_BY: &str = "No Pod suffers in the same window. The drops are fewer than half of the victims' loss \
                            episodes: most loss is elsewhere. The rate is normal for this Node. Bulk senders make the \
                            losses themselves by filling a queue.";

pub(crate) const NODE_CONNTRACK_FULL: Rule = Rule {
    id: "node_conntrack_full",
    family: Family::Host,
    order: 40,
    symptom: "connect_failures",
    meaning: "The Node's connection tracking table is full, or the cloud instance's allowance for it is used up. The \
              kernel drops packets of new connections, and clients resend their SYNs.",
    signals: &[
        "netwhy_node_conntrack_failures_total",
        "netwhy_node_conntrack_entries",
        "netwhy_node_conntrack_limit",
        "netwhy_node_nic_allowance_exceeded_total{allowance=\"conntrack\"}",
        "netwhy_tcp_retransmitted_segments_total{type=\"syn\"}",
        "netwhy_tcp_connect_failures_total{reason=\"timed_out\"}",
    ],
    test: "Connection tracking drops at least 3 packets in the window, three times the Node's baseline. Handshakes of \
           a Pod go unanswered at the same time. The kernel counts a drop only when it can't make an entry: no false \
           alarm by chance.",
    minimum: "3 drops, and a victim with `syn_retransmits` resent SYNs or `connect_failures` attempts without an \
              answer.",
    ruled_out_by: "All handshakes succeed. The table is below 90 % of its limit and the cloud's own counter doesn't \
                   rise: then something else makes tracking fail.",
    action: "Raise net.netfilter.nf_conntrack_max (kube-proxy: conntrack.maxPerCore), shorten the timeouts, or find \
             the Pod that opens so many connections.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "failures of connection tracking per second",
        promql: "sum by (node, event) (rate(netwhy_node_conntrack_failures_total{N}R))",
    }],
};

pub(crate) const NODE_NIC_DROPS: Rule = Rule {
    id: "node_nic_drops",
    family: Family::Host,
    order: 50,
    symptom: "packet_loss",
    meaning: "An interface of this Node drops packets or receives bad ones, or the cloud limits it at an allowance of \
              the instance.",
    signals: &[
        "netwhy_node_nic_drops_total",
        "netwhy_node_nic_errors_total",
        "netwhy_node_nic_allowance_exceeded_total",
        "netwhy_node_nic_info",
        "netwhy_tcp_loss_episodes_total",
    ],
    test: TEST_TAIL,
    minimum: MINIMUM,
    ruled_out_by: RULED_OUT_BY,
    action: "Missed packets: enlarge the rings, spread interrupts. CRC errors: check cable, plug and switch port. An \
             allowance: use a larger instance. Compare driver and firmware with healthy Nodes. Drain the Node if it \
             goes on.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "packets per second dropped by interfaces",
        promql: "sum by (node, device, direction) (rate(netwhy_node_nic_drops_total{N}R))",
    }],
};

pub(crate) const NODE_QDISC_DROPS: Rule = Rule {
    id: "node_qdisc_drops",
    family: Family::Host,
    order: 60,
    symptom: "packet_loss",
    meaning: "The queue in front of an interface overflows: the Node sends more than the interface or its rate limit \
              takes. Pods that send little lose packets together with those that send much.",
    signals: &["netwhy_node_qdisc_drops_total", "netwhy_node_qdisc_backlog_bytes", "netwhy_tcp_loss_episodes_total"],
    test: TEST_TAIL,
    minimum: MINIMUM,
    ruled_out_by: "As `node_nic_drops`. A host-network Pod loses nothing to a full queue of its Node: the kernel \
                   tells its socket, which waits. Only forwarded packets are lost.",
    action: "Check `tc -s qdisc`: raise a rate or limit that is too low, or use fq_codel, which protects small flows. \
             Find the Pod that fills the queue.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "packets per second dropped by queue disciplines",
        promql: "sum by (node, device) (rate(netwhy_node_qdisc_drops_total{N}R))",
    }],
};

pub(crate) const NODE_SOFTNET_DROPS: Rule = Rule {
    id: "node_softnet_drops",
    family: Family::Host,
    order: 70,
    symptom: "packet_loss",
    meaning: "The receive backlog of a CPU is full. The kernel drops packets between Pods, and packets steered to \
              that CPU, before any socket receives them.",
    signals: &[
        "netwhy_node_softnet_drops_total",
        "netwhy_node_softnet_squeezes_total",
        "netwhy_tcp_loss_episodes_total",
    ],
    test: TEST_TAIL,
    minimum: MINIMUM,
    ruled_out_by: RULED_OUT_BY,
    action: "Raise net.core.netdev_max_backlog and net.core.netdev_budget, and spread the load over CPUs (RPS, \
             interrupts).",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "packets per second dropped by full receive backlogs",
        promql: "sum by (node) (rate(netwhy_node_softnet_drops_total{N}R))",
    }],
};

/// Drops that a finding needs.
const MIN_DROPS: u64 = 10;
/// Drops by connection tracking that a finding needs.
const MIN_CONNTRACK_DROPS: u64 = 3;
/// Multiple of the baseline that a finding needs. Drops come in bursts, which the Poisson test alone would call new.
const OVER_BASELINE: f64 = 3.0;
/// Drops per second that are always called normal.
const FLOOR_PER_SECOND: f64 = 0.1;
/// Loss episodes that one drop explains at most.
const EPISODES_PER_DROP: u64 = 2;
/// Share of the limit from which a table counts as full.
const FULL: f64 = 0.9;

/// Packets that an interface does not carry.
const NIC: [Signal; 9] = [
    Signal::NicRxDropped,
    Signal::NicRxMissed,
    Signal::NicRxErrors,
    Signal::NicTxDropped,
    Signal::NicTxErrors,
    Signal::AllowanceBandwidthIn,
    Signal::AllowanceBandwidthOut,
    Signal::AllowancePackets,
    Signal::AllowanceLinkLocal,
];

/// A place where unusually many packets are dropped.
struct Suspect {
    rule: &'static Rule,
    /// Edges that it may harm.
    reach: Reach,
    /// Drops in the window.
    drops: u64,
    /// Nats beyond the decision limit.
    nats: f64,
    /// One window is enough.
    overwhelming: bool,
    /// There is no baseline yet.
    cold: bool,
    /// Place and number of drops, for people.
    text: String,
    evidence: Vec<Evidence>,
}

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let Some(host) = context.host else { return Vec::new() };
    let mut suspects = Vec::new();
    suspects.extend(conntrack(context, host));
    for device in &host.devices {
        suspects.extend(interface(context, host, device));
        suspects.extend(qdisc(context, host, device));
    }
    suspects.extend(softnet(context, host));
    suspects.into_iter().flat_map(|suspect| findings(context, &suspect)).collect()
}

/// One finding per victim, if the drops can explain the harm.
fn findings(context: &Context<'_>, suspect: &Suspect) -> Vec<Finding> {
    let connects_only = suspect.rule.id == NODE_CONNTRACK_FULL.id;
    let suffers = |v: &Victim| v.cannot_connect(context) || (!connects_only && v.loses(context));
    let all = victims::sums(context, suspect.reach);
    let victims: Vec<&Victim> = all.iter().filter(|v| suffers(v)).collect();
    let episodes: u64 = victims.iter().filter(|v| v.loses(context)).map(|v| v.episodes).sum();
    if !connects_only && suspect.drops * EPISODES_PER_DROP < episodes {
        return Vec::new();
    }
    victims.into_iter().map(|victim| finding(context, suspect, victim)).collect()
}

fn finding(context: &Context<'_>, suspect: &Suspect, victim: &Victim) -> Finding {
    let subject = context.subject(victim.subject);
    let (name, place) = (subject.name(), format!("{}→*", context.node));
    let mut numbers = suspect.evidence.clone();
    if victim.episodes > 0 {
        let n = victim.episodes as f64;
        numbers.push(evidence("netwhy_tcp_loss_episodes_total", n, "episodes", &place, "ebpf:tcp_retransmit_skb"));
    }
    if victim.connects > 0 {
        let n = victim.connects as f64;
        numbers.push(evidence("handshakes_without_answer", n, "segments and attempts", &place, "ebpf"));
    }
    let throttling = subject.rule_out_throttling(context.thresholds);
    Finding {
        nats: suspect.nats,
        certainty: if suspect.cold { 0.8 } else { 1.0 },
        overwhelming: suspect.overwhelming,
        summary: format!(
            "{name} suffers from drops at {} itself: {}; at the same time {}",
            context.node,
            suspect.text,
            victim.harm()
        ),
        evidence: numbers,
        ruled_out: throttling.into_iter().chain(rule_out_others(context, suspect)).collect(),
        ..Finding::new(suspect.rule, victim.subject, blame(BlameKind::Node, context.node))
    }
}

/// Rules out the places of this Node that dropped nothing.
fn rule_out_others(context: &Context<'_>, suspect: &Suspect) -> Vec<RuledOut> {
    let Some(host) = context.host else { return Vec::new() };
    let sum = |signals: &[Signal]| {
        let of = host
            .counters
            .iter()
            .filter(|((s, on), _)| signals.contains(s) && (*s != Signal::SoftnetDropped || on.is_none()));
        let mut all = of.map(|(_, count)| count.window).peekable();
        all.peek().is_some().then(|| all.sum::<u64>())
    };
    let others: [(&Rule, &[Signal], &str); 3] = [
        (&NODE_NIC_DROPS, &NIC, "packets dropped or bad at the interfaces"),
        (&NODE_QDISC_DROPS, &[Signal::QdiscDrops], "packets dropped by queue disciplines"),
        (&NODE_SOFTNET_DROPS, &[Signal::SoftnetDropped], "packets dropped by receive backlogs"),
    ];
    let zero = others.into_iter().filter(|(rule, signals, _)| rule.id != suspect.rule.id && sum(signals) == Some(0));
    zero.map(|(rule, _, what)| RuledOut { cause: rule.id.into(), because: format!("0 {what}") }).collect()
}

/// Growth of a counter in the window.
#[derive(Clone, Copy)]
struct Growth {
    drops: u64,
    /// Growth in normal times.
    expected: f64,
    /// There is no baseline yet.
    cold: bool,
}

fn growth(context: &Context<'_>, host: &HostView, key: &HostKey) -> Option<Growth> {
    let drops = host.counters.get(key)?.window;
    let rate = context.memory.host.rate(key);
    let expected = rate.unwrap_or(0.0) * context.window.as_secs_f64();
    Some(Growth { drops, expected, cold: rate.is_none() })
}

/// The unusual counters of one place, summed up.
struct Tested {
    sum: Growth,
    /// Logarithm of the chance that the baseline alone makes so many drops.
    ln_p: f64,
    evidence: Vec<Evidence>,
}

impl Tested {
    fn is_unlikely(&self) -> bool {
        self.sum.drops >= MIN_DROPS && self.ln_p <= LOSS_ALPHA.ln()
    }
}

/// Sums up the counters that grew unusually. The others neither hide nor add to them.
fn test(context: &Context<'_>, host: &HostView, keys: &[HostKey], place: &str) -> Tested {
    let seconds = context.window.as_secs_f64();
    let all = keys.iter().filter_map(|key| Some((key, growth(context, host, key)?)));
    let unusual: Vec<(&HostKey, Growth)> =
        all.filter(|(_, g)| g.drops > 0 && g.drops as f64 >= OVER_BASELINE * g.expected).collect();
    let sum = Growth {
        drops: unusual.iter().map(|(_, g)| g.drops).sum(),
        expected: unusual.iter().map(|(_, g)| g.expected).sum(),
        cold: unusual.iter().any(|(_, g)| g.cold),
    };
    let number = |((signal, _), g): &(&HostKey, Growth)| Evidence {
        baseline: (!g.cold).then_some(g.expected / seconds),
        ..evidence(signal.label(), g.drops as f64 / seconds, "per second", place, signal.source())
    };
    let ln_p = poisson_tail_ln(sum.drops, sum.expected.max(FLOOR_PER_SECOND * seconds));
    Tested { sum, ln_p, evidence: unusual.iter().map(number).collect() }
}

fn suspect(rule: &'static Rule, reach: Reach, text: String, tested: Tested) -> Suspect {
    let Tested { sum, ln_p, evidence } = tested;
    Suspect {
        rule,
        reach,
        drops: sum.drops,
        nats: (-ln_p + LOSS_ALPHA.ln()).max(0.0),
        overwhelming: !sum.cold && ln_p <= OVERWHELMING_ALPHA.ln(),
        cold: sum.cold,
        text,
        evidence,
    }
}

fn interface(context: &Context<'_>, host: &HostView, device: &Device) -> Option<Suspect> {
    let keys = NIC.map(|signal| (signal, Some(device.name.clone())));
    let tested = Some(test(context, host, &keys, &device.name)).filter(Tested::is_unlikely)?;
    let drops = tested.sum.drops;
    // Share of all packets, where their number is known.
    let packets: u64 = [Signal::NicRxPackets, Signal::NicTxPackets]
        .iter()
        .filter_map(|signal| host.count_on(*signal, &device.name))
        .map(|count| count.window)
        .sum();
    let share =
        if packets > 0 { format!(" ({})", percent(drops as f64 / (packets + drops) as f64)) } else { String::new() };
    let kinds: Vec<&str> = tested.evidence.iter().map(|number| number.signal.trim_start_matches("nic_")).collect();
    let driver = of_driver(device);
    let text = format!("{}{driver} lost {drops} packets{share}, counted as {}", device.name, kinds.join(", "));
    Some(suspect(&NODE_NIC_DROPS, Reach::Remote, text, tested))
}

/// ` (driver ixgbe 5.1.0, firmware 0x800003e7)`.
fn of_driver(device: &Device) -> String {
    let Some(driver) = &device.driver else { return String::new() };
    let version = device.version.as_ref().map_or(String::new(), |v| format!(" {v}"));
    let firmware = device.firmware.as_ref().map_or(String::new(), |v| format!(", firmware {v}"));
    format!(" (driver {driver}{version}{firmware})")
}

fn qdisc(context: &Context<'_>, host: &HostView, device: &Device) -> Option<Suspect> {
    let key = (Signal::QdiscDrops, Some(device.name.clone()));
    let mut tested = Some(test(context, host, &[key], &device.name)).filter(Tested::is_unlikely)?;
    let backlog = (Gauge::QdiscBacklogBytes, Some(device.name.clone()));
    if let Some(bytes) = host.gauges.get(&backlog) {
        let (signal, source) = ("netwhy_node_qdisc_backlog_bytes", Gauge::QdiscBacklogBytes.source());
        tested.evidence.push(evidence(signal, *bytes as f64, "bytes", &device.name, source));
    }
    let kind = device.qdisc.as_deref().unwrap_or("unknown");
    let text = format!("the {kind} queue of {} dropped {} packets", device.name, tested.sum.drops);
    Some(suspect(&NODE_QDISC_DROPS, Reach::Remote, text, tested))
}

fn softnet(context: &Context<'_>, host: &HostView) -> Option<Suspect> {
    let keys = [(Signal::SoftnetDropped, None)];
    let tested = Some(test(context, host, &keys, context.node)).filter(Tested::is_unlikely)?;
    let per_cpu = host.counters.iter().filter(|((signal, _), _)| *signal == Signal::SoftnetDropped);
    let worst = per_cpu.filter_map(|((_, on), count)| Some((count.window, on.as_deref()?))).max();
    let worst = worst.map_or(String::new(), |(n, cpu)| format!(", {n} of them on CPU {cpu}"));
    let text = format!("full receive backlogs dropped {} packets{worst}", tested.sum.drops);
    Some(suspect(&NODE_SOFTNET_DROPS, Reach::Any, text, tested))
}

fn conntrack(context: &Context<'_>, host: &HostView) -> Option<Suspect> {
    let table = host.gauge(Gauge::ConntrackEntries).zip(host.gauge(Gauge::ConntrackLimit));
    let table = table.filter(|(_, limit)| *limit > 0).map(|(n, limit)| (n, limit, n as f64 / limit as f64));
    let mut keys: Vec<HostKey> = Vec::new();
    if table.is_some_and(|(_, _, fill)| fill >= FULL) {
        keys.push((Signal::ConntrackDrop, None));
    }
    keys.extend(host.devices.iter().map(|device| (Signal::AllowanceConntrack, Some(device.name.clone()))));
    let mut tested =
        Some(test(context, host, &keys, context.node)).filter(|tested| tested.sum.drops >= MIN_CONNTRACK_DROPS)?;
    let drops = tested.sum.drops;
    let mut text = format!("connection tracking dropped {drops} packets");
    if let Some((entries, limit, fill)) = table {
        text.push_str(&format!(", its table holds {entries} of {limit} connections ({})", percent(fill)));
        let values = [
            ("netwhy_node_conntrack_entries", entries, Gauge::ConntrackEntries),
            ("netwhy_node_conntrack_limit", limit, Gauge::ConntrackLimit),
        ];
        let numbers = values.map(|(name, n, g)| evidence(name, n as f64, "connections", context.node, g.source()));
        tested.evidence.extend(numbers);
    }
    let nats = over(drops as f64, MIN_CONNTRACK_DROPS as f64);
    Some(Suspect { nats, ..suspect(&NODE_CONNTRACK_FULL, Reach::Any, text, tested) })
}

#[cfg(test)]
mod tests;
