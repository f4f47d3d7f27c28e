//! Signals that some kernels lack: older ones, and builds that give no trust to what is read from a socket. Their tests
//! assert there that the agent says so.

use super::{Options, Stage, refused::walks_are_refused};
use netwhy_agent::{
    api::{ProbeState, ProbeStatus},
    kernel::{self, Mode},
};

/// A feature that a signal needs, and what the agent says without it.
pub(crate) struct Need {
    /// The first kernel that has it.
    since: (u32, u32),
    pub(crate) said: Said,
    /// How the reason begins where the kernel gives no trust to what is read from another object. `None`: that is there
    /// without it.
    refused: Option<&'static str>,
}

/// Where the agent says what is missing.
pub(crate) enum Said {
    /// Name and state of a probe, and how its reason begins.
    Probe(&'static str, ProbeState, &'static str),
    /// How an entry begins in the list of what the kernel lacks.
    Lack(&'static str),
}

const IS_ARM: bool = cfg!(target_arch = "aarch64");
const NO_EXCHANGE: &str = "this kernel's programs have no atomic exchange (5.12 has; on arm64 5.18)";
const EXCHANGE: (u32, u32) = if IS_ARM { (5, 18) } else { (5, 12) };

const SENT: &str = "this kernel's programs can't read the packets that a socket sent";

/// Storage of sockets, and walks over the living ones.
pub(crate) const LIVING: Need =
    Need { since: EXCHANGE, said: Said::Probe("sockets", ProbeState::Degraded, NO_EXCHANGE), refused: None };
/// Accept queues, which walks read.
pub(crate) const ACCEPT_QUEUES: Need = Need {
    since: EXCHANGE,
    said: Said::Probe("accept_queue", ProbeState::Degraded, "needs the probe sockets (degraded)"),
    refused: None,
};
/// Response times.
pub(crate) const RESPONSES: Need =
    Need { since: EXCHANGE, said: Said::Probe("responses", ProbeState::Unsupported, NO_EXCHANGE), refused: None };
/// Those of a connection's first exchanges.
pub(crate) const FIRST_EXCHANGES: Need =
    Need { since: (6, 12), said: Said::Lack("response times of a connection's first two exchanges"), refused: None };
/// Methods, routes and statuses of HTTP. The reason names what it needs, which is not the same on all kernels.
pub(crate) const HTTP: Need =
    Need { since: (6, 12), said: Said::Probe("http", ProbeState::Unsupported, ""), refused: Some(SENT) };
/// Short sockets that stand for others.
pub(crate) const CHURN: Need = Need {
    since: if IS_ARM { EXCHANGE } else { (5, 14) },
    said: Said::Lack("sampling of short sockets under high churn"),
    refused: None,
};
/// Reasons of dropped packets.
pub(crate) const DROPS: Need = Need {
    since: (5, 17),
    said: Said::Probe("drops", ProbeState::Unsupported, "this kernel's tracepoint kfree_skb has too few arguments"),
    refused: None,
};
/// Codes of DNS answers.
pub(crate) const DNS_CODES: Need = Need { since: (6, 3), said: Said::Lack("codes of DNS answers"), refused: None };
/// Names of peers from DNS answers.
pub(crate) const DNS_NAMES: Need = Need {
    since: (6, 3),
    said: Said::Probe("dns_names", ProbeState::Unsupported, "this kernel's programs can't see DNS answers arrive"),
    refused: None,
};
/// Waits for a CPU.
pub(crate) const RUN_QUEUE: Need = Need {
    since: (5, 11),
    said: Said::Probe("run_queue", ProbeState::Unsupported, "this kernel has no task storage"),
    refused: None,
};

/// All of them.
pub(crate) const NEEDS: [Need; 10] =
    [LIVING, ACCEPT_QUEUES, RESPONSES, FIRST_EXCHANGES, HTTP, CHURN, DROPS, DNS_CODES, DNS_NAMES, RUN_QUEUE];

/// Signals that are off by default are on, so that their state is the kernel's.
const MODES: &[(&str, Mode)] = &[("responses", Mode::Auto), ("http", Mode::Auto), ("run_queue", Mode::Auto)];

impl Need {
    /// Whether this kernel lacks it. The kernel decides, not the agent: that may be wrong.
    pub(crate) fn is_lacking(&self) -> bool {
        kernel::release().0 < self.since || (self.refused.is_some() && walks_are_refused())
    }

    /// True when the test must end here, because this kernel lacks it and the agent says so.
    pub(crate) fn ends(&self, test: &str) -> bool {
        if !self.is_lacking() {
            return false;
        }
        let Some(stage) = Stage::open(test, &["a"]) else { return true };
        let watch = stage.watch_with(Options { modes: MODES, ..Options::default() });
        let loaded = watch.source.loaded();
        let said = match self.said {
            Said::Probe(name, ..) => self.said_by(loaded.probes.iter().find(|status| status.name == name).unwrap()),
            Said::Lack(beginning) => {
                let found = loaded.lacks.iter().copied().find(|lack| lack.starts_with(beginning));
                found.unwrap_or_else(|| panic!("{beginning:?} in {:?}", loaded.lacks))
            }
        };
        println!("DEGRADED {test}: {said}");
        true
    }

    /// The reason of a probe that needs it.
    #[track_caller]
    pub(crate) fn said_by<'a>(&self, status: &'a ProbeStatus) -> &'a str {
        let Said::Probe(_, state, beginning) = self.said else { panic!("no probe tells") };
        let beginning = if kernel::release().0 < self.since { beginning } else { self.refused.unwrap() };
        assert_eq!(status.state, state, "{status:?}");
        let why = status.why.as_str();
        assert!(why.starts_with(beginning), "{status:?}");
        assert!(["; missing: ", "; incomplete: "].iter().any(|words| why.contains(words)), "{status:?}");
        why
    }
}

/// Ends a test on kernels that lack what it needs, once the agent has said so.
macro_rules! needs {
    ($need:ident) => {
        if $crate::stage::$need.ends($crate::stage::name_of(|| ())) {
            return;
        }
    };
}
pub(crate) use needs;
