//! The laboratory's permanent traffic.
//!
//! ```text
//! web-X    keep-alive requests to api-Y of five other Nodes, and DNS questions     every Node
//! api-X    answers them                                                            every Node
//! cart-X   a connection per request to api-Y of four other Nodes                   a b c e f g
//! bulk-X   a steady stream to store-Y of three other Nodes                         a c e g
//! store-X  takes it in                                                             b d f h
//! dns-X    answers DNS questions                                                   d h
//! ext      a server outside the cluster: web-a, web-c, web-f and web-h ask it over kept connections,
//!          cart-a, cart-c and cart-f over new ones
//! ```
//! Congestion controls are mixed: cubic, bbr and reno by turns. Rates leave most of two CPUs idle, so that faults of
//! the CPU stand out.

use super::topology::{OUTSIDE, PODS, World};
use anyhow::Result;

/// Port of servers.
pub(super) const API: u16 = 8080;
/// Port of sinks.
pub(super) const STORE: u16 = 9000;
const DNS: u16 = 53;
/// Requests per second of one web Pod to one server.
const WEB_RATE: u32 = 40;
/// Bytes of an answer: three segments.
const WEB_BYTES: u32 = 4000;
/// Connections per second of one cart Pod to one server.
const CART_RATE: u32 = 3;
/// Of one bulk Pod to one sink, Mbit/s.
const BULK_MBIT: u32 = 3;
const CC: [&str; 3] = ["cubic", "bbr", "reno"];

/// Nodes that `from` talks to: the next ones in a ring, so that every Node has as many callers as the others.
fn others(from: usize, steps: &[usize]) -> Vec<char> {
    steps.iter().map(|step| (b'a' + ((from + step) % 8) as u8) as char).collect()
}

/// Name, Pod and arguments of a program.
type Standing = (String, String, Vec<String>);

fn standing(name: &str, pod: &str, line: &str) -> Standing {
    (name.to_owned(), pod.to_owned(), line.split(' ').map(str::to_owned).collect())
}

fn role(pod: &str) -> &str {
    pod.split_once('-').map_or(pod, |(role, _)| role)
}

/// Starts every standing program.
pub(super) fn start(world: &mut World) -> Result<()> {
    for (name, pod, args) in programs(world)? {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        world.start(&name, &pod, &args)?;
    }
    Ok(())
}

/// Every standing program; servers come first.
fn programs(world: &World) -> Result<Vec<Standing>> {
    let mut all = servers(world)?;
    for (at, (node, pods)) in PODS.iter().enumerate().filter(|(_, (node, _))| *node != OUTSIDE) {
        for pod in *pods {
            all.extend(Caller { world, at, node, pod }.programs()?);
        }
    }
    Ok(all)
}

fn servers(world: &World) -> Result<Vec<Standing>> {
    let mut all = Vec::new();
    for pod in PODS.iter().flat_map(|(_, pods)| pods.iter()) {
        let line = match role(pod) {
            "api" => format!("server --port {API} --work-us 100 --think-us 1000"),
            "store" => format!("sink --port {STORE}"),
            "dns" => format!("dns-server --port {DNS} --address {}", world.address(pod)?),
            "ext" => format!("server --port {API} --think-us 2000"),
            _ => continue,
        };
        all.push(standing(pod, pod, &line));
    }
    Ok(all)
}

/// A Pod that calls others.
struct Caller<'a> {
    world: &'a World,
    /// Place of its Node in the ring.
    at: usize,
    node: &'a str,
    pod: &'a str,
}

impl Caller<'_> {
    fn programs(&self) -> Result<Vec<Standing>> {
        match role(self.pod) {
            "web" => self.web(),
            "cart" => self.cart(),
            "bulk" => self.bulk(),
            _ => Ok(Vec::new()),
        }
    }

    /// Arguments of every client: its address and its congestion control.
    fn from(&self) -> Result<String> {
        Ok(format!(" --from {} --cc {}", self.world.address(self.pod)?, CC[self.at % CC.len()]))
    }

    /// Arguments for the Pods of this role some steps further in the ring.
    fn to(&self, role: &str, port: u16, steps: &[usize]) -> Result<String> {
        let one = |peer: char| Ok(format!(" --to {}:{port}", self.world.address(&format!("{role}-{peer}"))?));
        others(self.at, steps).into_iter().map(one).collect()
    }

    fn web(&self) -> Result<Vec<Standing>> {
        let (pod, from, to) = (self.pod, self.from()?, self.to("api", API, &[1, 2, 4, 6, 7])?);
        let rate = 5 * WEB_RATE;
        let line = format!("client{to} --rate {rate} --response-bytes {WEB_BYTES} --timeout-ms 8000{from}");
        let (d, h) = (self.world.address("dns-d")?, self.world.address("dns-h")?);
        let lookup = format!("dns-client --to {d}:{DNS} --to {h}:{DNS} --rate 12");
        let mut all = vec![standing(pod, pod, &line), standing(&format!("{pod}.lookup"), pod, &lookup)];
        if ["a", "c", "f", "h"].contains(&self.node) {
            let ext = self.world.address("ext")?;
            let line = format!("client --to {ext}:{API} --rate 20 --timeout-ms 8000{from}");
            all.push(standing(&format!("{pod}.ext"), pod, &line));
        }
        Ok(all)
    }

    fn cart(&self) -> Result<Vec<Standing>> {
        let (pod, from, to) = (self.pod, self.from()?, self.to("api", API, &[1, 3, 4, 6])?);
        let rate = 4 * CART_RATE;
        let line = format!("client{to} --rate {rate} --close=server --timeout-ms 4000{from}");
        let mut all = vec![standing(pod, pod, &line)];
        if ["a", "c", "f"].contains(&self.node) {
            let ext = self.world.address("ext")?;
            let line = format!("client --to {ext}:{API} --rate {CART_RATE} --close=server --timeout-ms 4000{from}");
            all.push(standing(&format!("{pod}.ext"), pod, &line));
        }
        Ok(all)
    }

    fn bulk(&self) -> Result<Vec<Standing>> {
        let (pod, from, to) = (self.pod, self.from()?, self.to("store", STORE, &[1, 3, 5])?);
        let rate = 3 * BULK_MBIT;
        Ok(vec![standing(pod, pod, &format!("bulk{to} --rate-mbit {rate} --timeout-ms 8000{from}"))])
    }
}

#[cfg(test)]
mod tests;
