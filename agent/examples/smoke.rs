//! smoke
use netwhy_agent::kernel::*;
use netwhy_agent::sample::*;
struct F;
impl Facts for F {
    fn read(&mut self, _: std::time::Duration, _: &[u64]) -> Vec<CgroupFacts> {
        vec![]
    }
}
fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).init();
    let t = std::time::Instant::now();
    let l = Loaded::load(&Settings {
        sysfs: "/sys".as_ref(),
        rtt_every: 16,
        modes: &[],
        limits: netwhy_abi::memory::Limits { cgroups: 4096, edges: 16384, drops: 4096, prefixes: 16384 },
        subtree: None,
    })?;
    println!("loaded {:?} {:?} lacks {:?}", t.elapsed(), l.verdicts, l.lacks);
    let mut s = KernelSource::new(
        l,
        F,
        SourceSettings {
            walk_min_interval: std::time::Duration::from_secs(1),
            walk_cpu_share: 0.003,
            edge_idle: std::time::Duration::from_secs(300),
        },
    )?;
    println!("ready {:?}", t.elapsed());
    for _ in 0..std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(5) {
        std::thread::sleep(std::time::Duration::from_secs(1));
        let t = std::time::Instant::now();
        let n = s.sample()?.unwrap();
        println!(
            "sample {:?} {:?} hz {:?} edges {} cg {} drops {} counters {:?}",
            t.elapsed(),
            s.walk_stats(),
            n.hz,
            n.edges.len(),
            n.cgroups.len(),
            n.drops.len(),
            n.counters
        );
        for (k, e) in &n.edges {
            println!(
                "  {} {} rtt n={} sum={} dseg {} seg {} acked {} rcvd {} retr {:?} ep {} conn {:?} fail {:?} rst {}/{} busy {} {} {} zw {}",
                k.cgroup,
                std::net::Ipv6Addr::from(k.addr),
                e.rtt_buckets.iter().map(|x| *x as u64).sum::<u64>(),
                e.rtt_sum_us,
                e.data_segs_out,
                e.segs_out,
                e.bytes_acked,
                e.bytes_received,
                e.retransmits,
                e.loss_episodes,
                e.connects,
                e.connect_failures,
                e.resets_sent,
                e.resets_received,
                e.busy_jiffies,
                e.rwnd_jiffies,
                e.sndbuf_jiffies,
                e.zero_window
            );
        }
        for (k, c) in &n.cgroups {
            println!(
                "  cg {k} conn {:?} {:?} drops {} full {}",
                c.connect_buckets.iter().map(|b| b.iter().map(|x| *x as u64).sum::<u64>()).collect::<Vec<_>>(),
                c.connect_sum_us,
                c.accept_drops,
                c.accept_full
            );
        }
        for (k, c) in &n.drops {
            println!(
                "  drop {k:?} {c} {}",
                s.loaded().drop_reasons.get(k.reason as usize).cloned().unwrap_or_default()
            );
        }
    }
    println!("{:?}", s.program_runs());
    Ok(())
}
