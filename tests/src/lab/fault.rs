//! Faults of a [`Shop`]: how to inject and heal them, and the hints that netwhy should give.

use super::{ProgramSpec, Shop};
use anyhow::{Context as _, Result, bail, ensure};
use std::{fmt, str::FromStr};

/// nftables table of a fault, in the victim's namespace.
const TABLE: &str = "netwhy_fault";
/// Program that delays, as [`Shop`] knows it.
const FORWARDER: &str = "forward";

/// Kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// TCP packets to node b are dropped at random.
    Loss,
    /// The path to and from node b is longer.
    Delay,
    /// Pod api-b may use little CPU time.
    CpuThrottle,
    /// Pod store-b reads slowly.
    SlowReader,
    /// Pod api-b no longer accepts connections.
    AcceptQueueFull,
    /// Node b swallows all packets.
    PeerUnreachable,
    /// Pod api-b's server is stopped.
    Refused,
    /// Pod api-b thinks long before it answers.
    SlowApp,
    /// DNS server dns-c answers late.
    Dns,
    /// Nothing is broken: the control.
    None,
}

/// Texts of a kind of fault.
struct Description {
    kind: FaultKind,
    name: &'static str,
    /// Default, lowest and highest magnitude. `None`: has none.
    magnitude: Option<(f64, f64, f64)>,
    unit: &'static str,
    /// Read after "broken: "; `{}` stands for the magnitude and its unit.
    text: &'static str,
}

const DESCRIPTIONS: [Description; 10] = [
    Description {
        kind: FaultKind::Loss,
        name: "loss",
        magnitude: Some((2.0, 0.01, 100.0)),
        unit: "%",
        text: "{} of the TCP packets that node b receives are dropped",
    },
    Description {
        kind: FaultKind::Delay,
        name: "delay",
        magnitude: Some((20.0, 0.1, 5_000.0)),
        unit: "ms",
        text: "node b is {} away, each way",
    },
    Description {
        kind: FaultKind::CpuThrottle,
        name: "cpu-throttle",
        magnitude: Some((5.0, 1.0, 100.0)),
        unit: "% of a CPU",
        text: "pod api-b may use {}",
    },
    Description {
        kind: FaultKind::SlowReader,
        name: "slow-reader",
        magnitude: Some((100_000.0, 1.0, 1e9)),
        unit: "bytes/s",
        text: "pod store-b reads {} per connection",
    },
    Description {
        kind: FaultKind::AcceptQueueFull,
        name: "accept-queue-full",
        magnitude: Some((1.0, 0.0, 4_096.0)),
        unit: "places",
        text: "pod api-b accepts nothing, its queue has {}",
    },
    Description {
        kind: FaultKind::PeerUnreachable,
        name: "peer-unreachable",
        magnitude: None,
        unit: "",
        text: "node b swallows every packet",
    },
    Description {
        kind: FaultKind::Refused,
        name: "refused",
        magnitude: None,
        unit: "",
        text: "pod api-b's server is stopped",
    },
    Description {
        kind: FaultKind::SlowApp,
        name: "slow-app",
        magnitude: Some((40.0, 0.1, 60_000.0)),
        unit: "ms",
        text: "pod api-b thinks for {} before each answer",
    },
    Description {
        kind: FaultKind::Dns,
        name: "dns",
        magnitude: Some((400.0, 1.0, 4_000.0)),
        unit: "ms",
        text: "DNS server dns-c takes {} for each answer",
    },
    Description { kind: FaultKind::None, name: "none", magnitude: None, unit: "", text: "nothing (control)" },
];

impl FaultKind {
    /// All kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        DESCRIPTIONS.iter().map(|description| description.kind)
    }

    /// Name as written on the command line.
    pub fn name(self) -> &'static str {
        self.description().name
    }

    fn description(self) -> &'static Description {
        let found = DESCRIPTIONS.iter().find(|description| description.kind == self);
        // The test below keeps the table complete; the last row stands in for the impossible.
        found.unwrap_or(&DESCRIPTIONS[DESCRIPTIONS.len() - 1])
    }
}

/// A fault and how strong it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// Kind.
    pub kind: FaultKind,
    /// Strength, in the kind's unit; 0 for kinds without one.
    pub magnitude: f64,
    /// `Loss` hits single packets, because segmentation offload is off; otherwise whole offloaded bursts.
    pub per_packet: bool,
}

/// `loss`, `loss=5`, `loss=5:per-packet`.
impl FromStr for Fault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (text, per_packet) = text.strip_suffix(":per-packet").map_or((text, false), |text| (text, true));
        let (name, number) = text.split_once('=').map_or((text, None), |(name, number)| (name, Some(number)));
        let Some(description) = DESCRIPTIONS.iter().find(|description| description.name == name) else {
            let names: Vec<_> = DESCRIPTIONS.iter().map(|description| description.name).collect();
            bail!("{name:?} is no fault; there are {}", names.join(", "));
        };
        let Description { kind, magnitude, unit, .. } = *description;
        ensure!(!per_packet || kind == FaultKind::Loss, "only loss can be per packet");
        let magnitude = match (magnitude, number) {
            (None, None) => 0.0,
            (None, Some(_)) => bail!("{name} takes no number"),
            (Some((default, ..)), None) => default,
            (Some((_, low, high)), Some(number)) => {
                let value: f64 = number.parse().with_context(|| format!("{number:?} is no number"))?;
                ensure!((low..=high).contains(&value), "{name} must be between {low} and {high} {unit}");
                value
            }
        };
        Ok(Self { kind, magnitude, per_packet })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Description { unit, text, .. } = self.kind.description();
        write!(f, "{}", text.replace("{}", &format!("{} {unit}", self.magnitude)))?;
        if self.per_packet { write!(f, ", packet by packet") } else { Ok(()) }
    }
}

/// The expected hints for a fault: one of these is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// A cause, and the Pods that may be its subject.
    pub hints: Vec<(&'static str, Vec<&'static str>)>,
    /// Names of the Node or Pod at fault, and the Node's addresses.
    pub blame: Vec<String>,
}

impl Expectation {
    /// Whether a hint with this cause and subject is one of the expected.
    pub fn matches(&self, cause: &str, subject_kind: &str, subject: &str) -> bool {
        self.hints
            .iter()
            .any(|(expected, subjects)| *expected == cause && (subject_kind == "Node" || subjects.contains(&subject)))
    }

    /// The causes, for people: `path_loss or node_packet_loss`.
    pub fn causes(&self) -> String {
        self.hints.iter().map(|(cause, _)| *cause).collect::<Vec<_>>().join(" or ")
    }
}

/// A fault that is in force.
#[derive(Debug)]
pub struct Injected {
    /// Which.
    pub fault: Fault,
    /// The commands that were run, as one would type them.
    pub commands: Vec<String>,
    /// How to start what was stopped.
    stopped: Option<(&'static str, ProgramSpec)>,
}

impl Fault {
    /// The expected hints in this shop.
    pub fn expectation(&self, shop: &Shop) -> Result<Expectation> {
        let callers = || vec!["web-a", "cart-a", "web-c"];
        let senders = || vec!["web-a", "cart-a", "web-c", "bulk-a"];
        let (hints, pod) = match self.kind {
            FaultKind::Loss => (vec![("path_loss", senders()), ("node_packet_loss", senders())], None),
            FaultKind::Delay => (vec![("path_latency", senders())], None),
            FaultKind::CpuThrottle => (vec![("pod_cpu_throttled", vec!["api-b"])], Some("api-b")),
            FaultKind::SlowReader => {
                (vec![("peer_receiver_limited", vec!["bulk-a"]), ("pod_slow_reader", vec!["store-b"])], Some("store-b"))
            }
            FaultKind::AcceptQueueFull => (vec![("pod_accept_queue_full", vec!["api-b"])], Some("api-b")),
            FaultKind::PeerUnreachable => (vec![("peer_unreachable", senders())], None),
            FaultKind::Refused => (vec![("peer_refusing", callers())], Some("api-b")),
            FaultKind::SlowApp => {
                (vec![("pod_application_slow", vec!["api-b"]), ("peer_slow", callers())], Some("api-b"))
            }
            FaultKind::Dns => (vec![("dns_slow", vec!["names-a"])], Some("dns-c")),
            FaultKind::None => return Ok(Expectation::default()),
        };
        let node = if self.kind == FaultKind::Dns { shop.lab().node("c")? } else { shop.victim()? };
        let mut blame = vec![node.name.clone(), node.ipv4.to_string(), node.ipv6.to_string()];
        blame.extend(pod.map(str::to_owned));
        Ok(Expectation { hints, blame })
    }

    /// Puts it in force.
    pub fn inject(&self, shop: &mut Shop) -> Result<Injected> {
        let mut stopped = None;
        let commands = match self.kind {
            FaultKind::Loss => self.inject_loss(shop)?,
            FaultKind::Delay => inject_delay(shop, self.magnitude)?,
            FaultKind::CpuThrottle => {
                let (file, text) = shop.pod("api-b")?.set_cpu_quota(Some(self.magnitude / 100.0))?;
                vec![format!("echo {text} > {}", file.display())]
            }
            FaultKind::SlowReader => tell(shop, "store-b", &[format!("slow-bytes-per-second {}", self.magnitude)])?,
            FaultKind::AcceptQueueFull => {
                tell(shop, "api-b", &[format!("backlog {}", self.magnitude), "accept off".to_owned()])?
            }
            FaultKind::PeerUnreachable => drop_at_victim(shop, "meta protocol { ip, ip6 } drop")?,
            FaultKind::Refused => {
                let mut program = shop.take("api-b")?;
                stopped = Some(("api-b", program.spec().clone()));
                program.stop();
                vec![format!("kill {}", program.pid())]
            }
            FaultKind::SlowApp => tell(shop, "api-b", &[format!("think-us {}", (self.magnitude * 1e3) as u64)])?,
            FaultKind::Dns => tell(shop, "dns-c", &[format!("delay-us {}", (self.magnitude * 1e3) as u64)])?,
            FaultKind::None => Vec::new(),
        };
        Ok(Injected { fault: *self, commands, stopped })
    }

    fn inject_loss(&self, shop: &Shop) -> Result<Vec<String>> {
        let mut commands = Vec::new();
        if self.per_packet {
            for node in shop.lab().net().nodes() {
                let command = ["ip", "-n", &node.netns, "link", "set", "dev", node.device, "gso_max_segs", "1"]
                    .map(str::to_owned);
                super::run(&command.each_ref().map(String::as_str))?;
                commands.push(command.join(" "));
            }
        }
        // In parts per million, so that small shares are exact.
        let threshold = (self.magnitude * 1e4).round() as u64;
        let rule = format!("meta l4proto tcp numgen random mod 1000000 < {threshold} drop");
        commands.extend(drop_at_victim(shop, &rule)?);
        Ok(commands)
    }
}

impl Injected {
    /// Undoes it.
    pub fn heal(self, shop: &mut Shop) -> Result<()> {
        match self.fault.kind {
            FaultKind::Loss | FaultKind::PeerUnreachable => {
                shop.victim()?.nft(&format!("delete table netdev {TABLE}"))?;
                if self.fault.per_packet {
                    for node in shop.lab().net().nodes() {
                        super::run(&[
                            "ip",
                            "-n",
                            &node.netns,
                            "link",
                            "set",
                            "dev",
                            node.device,
                            "gso_max_segs",
                            "65535",
                        ])?;
                    }
                }
                Ok(())
            }
            FaultKind::Delay => {
                let node = shop.victim()?.clone();
                shop.lab().net().unsplice(&node)?;
                shop.take(FORWARDER).map(drop)
            }
            FaultKind::CpuThrottle => shop.pod("api-b")?.set_cpu_quota(None).map(drop),
            FaultKind::SlowReader => tell(shop, "store-b", &["slow-bytes-per-second 0".to_owned()]).map(drop),
            FaultKind::AcceptQueueFull => {
                tell(shop, "api-b", &["backlog 1024".to_owned(), "accept on".to_owned()]).map(drop)
            }
            FaultKind::SlowApp => tell(shop, "api-b", &["think-us 0".to_owned()]).map(drop),
            FaultKind::Dns => tell(shop, "dns-c", &["delay-us 0".to_owned()]).map(drop),
            FaultKind::Refused => match self.stopped {
                Some((name, spec)) => shop.restart(name, &spec),
                None => Ok(()),
            },
            FaultKind::None => Ok(()),
        }
    }
}

/// Drops by a rule where the victim's interface receives, before anything else sees the packet.
fn drop_at_victim(shop: &Shop, rule: &str) -> Result<Vec<String>> {
    let node = shop.victim()?;
    let chain = format!("{{ type filter hook ingress device {} priority 0; }}", node.device);
    node.nft(&format!(
        "add table netdev {TABLE}\nadd chain netdev {TABLE} ingress {chain}\nadd rule netdev {TABLE} ingress {rule}\n"
    ))?;
    let shown = |what: String| format!("{} '{what}'", node.command(&["nft"]).join(" "));
    Ok(vec![
        shown(format!("add table netdev {TABLE}; add chain netdev {TABLE} ingress {chain}")),
        shown(format!("add rule netdev {TABLE} ingress {rule}")),
    ])
}

/// Puts a forwarder on the victim's cable.
fn inject_delay(shop: &mut Shop, delay_ms: f64) -> Result<Vec<String>> {
    let node = shop.victim()?.clone();
    let program = shop.lab().delay(&node, &["--delay-ms", &delay_ms.to_string()])?;
    let switch = shop.lab().net().switch();
    let commands = vec![
        program.spec().shown(),
        format!("ip -n {switch} link set {} nomaster", node.port),
        format!("ip -n {switch} link set y-{} master br0", node.name),
    ];
    shop.keep(FORWARDER, program);
    Ok(commands)
}

/// Tells a Pod's program to behave otherwise.
fn tell(shop: &mut Shop, pod: &str, lines: &[String]) -> Result<Vec<String>> {
    let program = shop.program(pod)?;
    for line in lines {
        program.tell(line)?;
    }
    let pid = program.pid();
    Ok(lines.iter().map(|line| format!("echo {line} (to the standard input of {pod}, pid {pid})")).collect())
}

#[cfg(test)]
mod tests;
