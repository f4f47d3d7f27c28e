//! The standard scenario: a small shop on three Nodes.
//!
//! ```text
//!      node a                              node b             node c
//!  web-a   keep-alive requests ─────────▶  api-b  and         api-c
//!  cart-a  a connection per request ────▶  api-b  and         api-c
//!  bulk-a  bulk data ───────────────────▶  store-b and        store-c
//!                                          api-b  ◀── IPv6 ── web-c  keep-alive requests
//!  names-a name lookups ───────────────────────────────────▶  dns-c
//! ```
//! Faults are at node b; node c stays healthy for comparison. Only the DNS server is at c: a fault at b does not break
//! name lookups.

use super::{Lab, Node, Pod, Program, ProgramSpec};
use anyhow::{Context as _, Result};
use std::{collections::BTreeMap, path::Path, time::Duration};

/// Nodes of the shop.
const NODES: [&str; 3] = ["a", "b", "c"];
/// Port of the servers.
const API: u16 = 8080;
/// Port of the sinks.
const STORE: u16 = 9000;
/// How long a program may take to start.
const START: Duration = Duration::from_secs(60);

/// A running shop; everything ends when it is dropped.
#[derive(Debug)]
pub struct Shop {
    // Programs end before what they run in is taken away.
    programs: BTreeMap<String, Program>,
    pods: BTreeMap<String, Pod>,
    lab: Lab,
}

impl Shop {
    /// Builds the laboratory and opens the shop. `cc`: the clients' congestion control; `None`: the machine's default.
    pub fn open(traffic: &Path, cc: Option<&str>) -> Result<Self> {
        let lab = Lab::new(traffic, &NODES)?;
        let mut shop = Self { programs: BTreeMap::new(), pods: BTreeMap::new(), lab };
        let (b, c) = (shop.lab.node("b")?.clone(), shop.lab.node("c")?.clone());
        let api = API.to_string();
        let store = STORE.to_string();
        for node in ["b", "c"] {
            shop.start(node, &format!("api-{node}"), &["server", "--port", &api, "--work-us", "300"], None)?;
            shop.start(node, &format!("store-{node}"), &["sink", "--port", &store], None)?;
        }
        let both = |port: u16| [format!("{}:{port}", b.ipv4), format!("{}:{port}", c.ipv4)];
        let [api_b, api_c] = both(API);
        let [store_b, store_c] = both(STORE);
        let to_apis = ["client", "--to", &api_b, "--to", &api_c, "--timeout-ms", "2000"];
        let with =
            |rest: &[&'static str]| -> Vec<&str> { to_apis.iter().copied().chain(rest.iter().copied()).collect() };
        shop.start("a", "web-a", &with(&["--connections", "4", "--rate", "400", "--response-bytes", "2000"]), cc)?;
        shop.start("a", "cart-a", &with(&["--connections", "2", "--rate", "60", "--close=server"]), cc)?;
        let bulk = ["bulk", "--to", &store_b, "--to", &store_c, "--connections", "2", "--rate-mbit", "80"];
        shop.start("a", "bulk-a", &bulk, cc)?;
        let api_b_v6 = format!("[{}]:{API}", b.ipv6);
        let web_c = ["client", "--to", &api_b_v6, "--timeout-ms", "2000", "--connections", "2", "--rate", "100"];
        shop.start("c", "web-c", &web_c, cc)?;
        shop.start("c", "dns-c", &["dns-server"], None)?;
        let dns = format!("{}:53", c.ipv4);
        shop.start("a", "names-a", &["dns-client", "--to", &dns, "--rate", "15"], None)?;
        Ok(shop)
    }

    fn start(&mut self, node: &str, name: &str, args: &[&str], cc: Option<&str>) -> Result<()> {
        let pod = self.lab.pod(node, name)?;
        let mut args = args.to_vec();
        if let Some(cc) = cc {
            args.extend(["--cc", cc]);
        }
        let program = self.lab.start(&pod, &args)?;
        program.wait_ready(START).with_context(|| format!("start {name}"))?;
        self.pods.insert(name.to_owned(), pod);
        self.programs.insert(name.to_owned(), program);
        Ok(())
    }

    /// The laboratory.
    pub const fn lab(&self) -> &Lab {
        &self.lab
    }

    /// All Pods by name.
    pub const fn pods(&self) -> &BTreeMap<String, Pod> {
        &self.pods
    }

    /// A Pod by name.
    pub fn pod(&self, name: &str) -> Result<&Pod> {
        self.pods.get(name).with_context(|| format!("no pod is named {name:?}"))
    }

    /// The Node at which things are broken.
    pub fn victim(&self) -> Result<&Node> {
        self.lab.node("b")
    }

    /// A Pod's program.
    pub fn program(&mut self, name: &str) -> Result<&mut Program> {
        self.programs.get_mut(name).with_context(|| format!("no program is named {name:?}"))
    }

    /// Names of programs that have ended although nobody stopped them.
    pub fn ended(&mut self) -> Vec<String> {
        let ended = |program: &mut Program| program.wait(Duration::ZERO).is_ok();
        self.programs.iter_mut().filter_map(|(name, program)| ended(program).then(|| name.clone())).collect()
    }

    /// Keeps a further program until it is taken or the shop closes.
    pub(super) fn keep(&mut self, name: &str, program: Program) {
        self.programs.insert(name.to_owned(), program);
    }

    /// Gives a program away; dropping it kills it.
    pub(super) fn take(&mut self, name: &str) -> Result<Program> {
        self.programs.remove(name).with_context(|| format!("no program is named {name:?}"))
    }

    /// Starts a stopped program as before.
    pub(super) fn restart(&mut self, name: &str, spec: &ProgramSpec) -> Result<()> {
        let program = Program::start(spec)?;
        program.wait_ready(START).with_context(|| format!("start {name} again"))?;
        self.keep(name, program);
        Ok(())
    }
}
