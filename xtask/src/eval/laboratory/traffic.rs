//! The laboratory's permanent traffic.
//!
//! ```text
//! web-X    keep-alive requests to api-Y of five other Nodes, and DNS questions     every Node
//! api-X    answers them                                                            every Node
//! cart-X   a connection per request to api-Y of four other Nodes                   a b c e f g
//! bulk-X   a steady stream to store-Y of three other Nodes                         a c e g
//! store-X  takes it in                                                             b d f h
//! dns-X    answers DNS questions                                                   d h
//! out      a server outside the cluster, which web-a, web-c, web-f and web-h ask over kept connections, and cart-a, cart-c
//!          and cart-f over new ones
//! ```
//! Congestion controls are mixed: cubic, bbr and reno by turns. Rates leave most of two CPUs idle, so that faults of the
//! CPU stand out.

use super::topology::{OUTSIDE, World};
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

/// Pods by Node, in the order of their addresses.
pub(super) const PODS: [(&str, &[&str]); 9] = [
    ("a", &["web-a", "api-a", "cart-a", "bulk-a"]),
    ("b", &["web-b", "api-b", "cart-b", "store-b"]),
    ("c", &["web-c", "api-c", "cart-c", "bulk-c"]),
    ("d", &["web-d", "api-d", "store-d", "dns-d"]),
    ("e", &["web-e", "api-e", "cart-e", "bulk-e"]),
    ("f", &["web-f", "api-f", "cart-f", "store-f"]),
    ("g", &["web-g", "api-g", "cart-g", "bulk-g"]),
    ("h", &["web-h", "api-h", "store-h", "dns-h"]),
    (OUTSIDE, &["ext"]),
];

/// Nodes that `from` talks to: the next ones in a ring, so that every Node has as many callers as the others.
fn others(from: usize, steps: &[usize]) -> Vec<char> {
    steps.iter().map(|step| (b'a' + ((from + step) % 8) as u8) as char).collect()
}

/// Name, Pod and arguments of every standing program; servers come first.
pub(super) fn programs(world: &World) -> Result<Vec<(String, String, Vec<String>)>> {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut all = Vec::new();
    let mut add = |name: &str, pod: &str, args: Vec<String>| all.push((name.to_owned(), pod.to_owned(), args));
    let pods = || PODS.iter().flat_map(|(_, pods)| pods.iter());
    for pod in pods() {
        match pod.split_once('-').map_or(*pod, |(role, _)| role) {
            "api" => add(pod, pod, words(&format!("server --port {API} --work-us 100 --think-us 1000"))),
            "store" => add(pod, pod, words(&format!("sink --port {STORE}"))),
            "dns" => {
                let address = world.address(pod)?;
                add(pod, pod, words(&format!("dns-server --port {DNS} --address {address}")));
            }
            "ext" => add(pod, pod, words(&format!("server --port {API} --think-us 2000"))),
            _ => {}
        }
    }
    for (at, (node, pods)) in PODS.iter().enumerate().filter(|(_, (node, _))| *node != OUTSIDE) {
        for pod in *pods {
            let role = pod.split_once('-').map_or(*pod, |(role, _)| role);
            let from = format!(" --from {} --cc {}", world.address(pod)?, CC[at % CC.len()]);
            let to = |role: &str, port: u16, steps: &[usize]| -> Result<String> {
                let one = |peer: char| Ok(format!(" --to {}:{port}", world.address(&format!("{role}-{peer}"))?));
                others(at, steps).into_iter().map(one).collect()
            };
            match role {
                "web" => {
                    let to = to("api", API, &[1, 2, 4, 6, 7])?;
                    let rate = 5 * WEB_RATE;
                    let line = format!("client{to} --rate {rate} --response-bytes {WEB_BYTES} --timeout-ms 8000{from}");
                    add(pod, pod, words(&line));
                    let dns = ["dns-d", "dns-h"].map(|dns| world.address(dns).map(|ip| format!(" --to {ip}:{DNS}")));
                    let [d, h] = dns;
                    add(&format!("{pod}.lookup"), pod, words(&format!("dns-client{}{} --rate 12", d?, h?)));
                    if ["a", "c", "f", "h"].contains(node) {
                        let ext = world.address("ext")?;
                        let line = format!("client --to {ext}:{API} --rate 20 --timeout-ms 8000{from}");
                        add(&format!("{pod}.ext"), pod, words(&line));
                    }
                }
                "cart" => {
                    let to = to("api", API, &[1, 3, 4, 6])?;
                    let rate = 4 * CART_RATE;
                    let line = format!("client{to} --rate {rate} --close=server --timeout-ms 4000{from}");
                    add(pod, pod, words(&line));
                    if ["a", "c", "f"].contains(node) {
                        let ext = world.address("ext")?;
                        let line = format!(
                            "client --to {ext}:{API} --rate {CART_RATE} --close=server --timeout-ms 4000{from}"
                        );
                        add(&format!("{pod}.ext"), pod, words(&line));
                    }
                }
                "bulk" => {
                    let to = to("store", STORE, &[1, 3, 5])?;
                    let rate = 3 * BULK_MBIT;
                    add(pod, pod, words(&format!("bulk{to} --rate-mbit {rate} --timeout-ms 8000{from}")));
                }
                _ => {}
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_three_or_four_pods_and_every_stream_a_sink() {
        for (node, pods) in PODS {
            assert!(node == OUTSIDE || (3..=4).contains(&pods.len()), "{node}");
            assert!(pods.iter().all(|pod| node == OUTSIDE || pod.ends_with(&format!("-{node}"))));
        }
        let sinks = PODS.iter().flat_map(|(_, pods)| pods.iter()).filter(|pod| pod.starts_with("store-"));
        let sinks: Vec<&&str> = sinks.collect();
        for (at, (node, pods)) in PODS.iter().enumerate().take(8) {
            if pods.iter().any(|pod| pod.starts_with("bulk-")) {
                for peer in others(at, &[1, 3, 5]) {
                    assert!(sinks.contains(&&format!("store-{peer}").as_str()), "{node} sends to {peer}");
                }
            }
        }
    }
}
