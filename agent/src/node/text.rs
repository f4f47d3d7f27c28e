//! Contents of procfs and sysfs files → numbers. Pure. Ignores fields that newer kernels add.

use crate::sample::Signal;

/// Parsed contents, or the reason why they are malformed.
pub(super) type Parsed<T> = Result<T, String>;

fn number(text: &str) -> Parsed<u64> {
    text.parse().map_err(|_| format!("`{}` is not a number", text.chars().take(40).collect::<String>()))
}

fn hex(text: &str) -> Parsed<u64> {
    u64::from_str_radix(text, 16)
        .map_err(|_| format!("`{}` is not a number", text.chars().take(40).collect::<String>()))
}

/// A file that holds one number.
pub(super) fn single(text: &str) -> Parsed<u64> {
    number(text.trim())
}

/// A file that holds several numbers on one line.
pub(super) fn several<const N: usize>(text: &str) -> Parsed<[u64; N]> {
    let values = text.split_whitespace().map(number).collect::<Parsed<Vec<u64>>>()?;
    values.try_into().map_err(|values: Vec<u64>| format!("{} numbers instead of {N}", values.len()))
}

/// Idle time of all CPUs in `/proc/uptime` (`12345.67 23456.78`; s), µs.
pub(super) fn idle_us(text: &str) -> Parsed<u64> {
    let idle = text.split_whitespace().nth(1).ok_or("no second number")?;
    let (whole, part) = idle.split_once('.').ok_or("no decimal point")?;
    // The kernel writes hundredths.
    let part = if part.len() == 2 { number(part)? } else { return Err(format!("`{idle}` has no two decimals")) };
    let us = number(whole)?.checked_mul(1_000_000).and_then(|us| us.checked_add(part * 10_000));
    us.ok_or_else(|| format!("`{idle}` is too large"))
}

/// CPUs in a list such as `0-3,8`.
pub(super) fn cpus(text: &str) -> Parsed<u64> {
    let count = |range: &str| match range.split_once('-') {
        None => number(range).map(|_| 1),
        Some((first, last)) => Ok(number(last)?.saturating_add(1).saturating_sub(number(first)?)),
    };
    text.trim().split(',').map(count).try_fold(0, |sum: u64, cpus| Ok(sum.saturating_add(cpus?)))
}

/// The value of the first line `NAME: VALUE`, as in `/proc/meminfo` and `/proc/cpuinfo`. `None`: there is none.
pub(super) fn line_value(text: &str, name: &str) -> Option<String> {
    let of = |line: &str| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name && !value.trim().is_empty()).then(|| value.trim().to_owned())
    };
    text.lines().find_map(of)
}

/// The chosen one of several words, as in `always [madvise] never`. `None`: none is marked.
pub(super) fn chosen(text: &str) -> Option<String> {
    let word = text.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    word.filter(|word| !word.is_empty()).map(str::to_owned)
}

/// One CPU in `/proc/net/softnet_stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SoftnetCpu {
    pub(super) cpu: u64,
    pub(super) processed: u64,
    pub(super) dropped: u64,
    pub(super) squeezed: u64,
}

/// `/proc/net/softnet_stat`: one line of hexadecimal numbers per online CPU; the 13th is the CPU's number since 5.14.
/// Before, the line's index is taken, which is wrong while some CPUs are offline.
pub(super) fn softnet(text: &str) -> Parsed<Vec<SoftnetCpu>> {
    let row = |(i, line): (usize, &str)| {
        let values = line.split_whitespace().map(hex).collect::<Parsed<Vec<u64>>>()?;
        let [processed, dropped, squeezed, ..] = values[..] else { return Err("fewer than three columns".to_owned()) };
        Ok(SoftnetCpu { cpu: values.get(12).copied().unwrap_or(i as u64), processed, dropped, squeezed })
    };
    text.lines().enumerate().map(row).collect()
}

/// Sums over the CPUs in `/proc/net/stat/nf_conntrack`. `entries` is not per CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Conntrack {
    pub(super) entries: u64,
    pub(super) insert_failed: u64,
    pub(super) drop: u64,
    pub(super) early_drop: u64,
}

/// `/proc/net/stat/nf_conntrack`: names, then one line of hexadecimal numbers per CPU.
pub(super) fn conntrack(text: &str) -> Parsed<Conntrack> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().ok_or("it is empty")?.split_whitespace().collect();
    let column = |name: &str| names.iter().position(|n| *n == name).ok_or_else(|| format!("no column `{name}`"));
    let columns = [column("entries")?, column("insert_failed")?, column("drop")?, column("early_drop")?];
    let mut sum = Conntrack::default();
    for line in lines {
        let values: Vec<&str> = line.split_whitespace().collect();
        let value = |i: usize| hex(values.get(columns[i]).ok_or("a line is too short")?);
        sum.entries = value(0)?;
        for (total, i) in [(&mut sum.insert_failed, 1), (&mut sum.drop, 2), (&mut sum.early_drop, 3)] {
            *total = total.saturating_add(value(i)?);
        }
    }
    Ok(sum)
}

/// TCP counters in `/proc/net/netstat` or `/proc/net/snmp`: per group a line of names and a line of values. Names are
/// those of [`Signal::source`]. Counters that this kernel lacks are left out.
pub(super) fn mib(text: &str, wanted: &[Signal]) -> Parsed<Vec<(Signal, u64)>> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let (group, names) = names.split_once(": ").ok_or("a line without a group")?;
        let values = values.strip_prefix(group).and_then(|v| v.strip_prefix(": ")).ok_or("a group without values")?;
        if !matches!(group, "Tcp" | "TcpExt") {
            continue;
        }
        let name_of = |signal: &Signal| signal.source().strip_prefix(group)?.strip_prefix(':');
        let wanted: Vec<(Signal, &str)> = wanted.iter().filter_map(|s| Some((*s, name_of(s)?))).collect();
        for (name, value) in names.split(' ').zip(values.split(' ')) {
            if let Some((signal, _)) = wanted.iter().find(|(_, known)| *known == name) {
                found.push((*signal, number(value)?));
            }
        }
    }
    Ok(found)
}

/// TCP in `/proc/net/sockstat`: sockets in use and in TIME_WAIT (of this namespace), and pages (of all namespaces).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sockstat {
    pub(super) in_use: u64,
    pub(super) time_wait: u64,
    pub(super) pages: u64,
}

pub(super) fn sockstat(text: &str) -> Parsed<Sockstat> {
    let line = text.lines().find_map(|l| l.strip_prefix("TCP: ")).ok_or("no line `TCP:`")?;
    let fields: Vec<&str> = line.split_whitespace().collect();
    let value = |name: &str| {
        let pair = fields.chunks(2).find(|pair| pair[0] == name && pair.len() == 2);
        pair.map_or_else(|| Err(format!("no `{name}`")), |pair| number(pair[1]))
    };
    Ok(Sockstat { in_use: value("inuse")?, time_wait: value("tw")?, pages: value("mem")? })
}

/// Names in `/proc/net/dev`, sorted.
pub(super) fn device_names(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = text.lines().skip(2).filter_map(|l| Some(l.split_once(':')?.0.trim())).collect();
    names.sort_unstable();
    names
}

/// Counters of one device in `/proc/net/dev`. Dropped packets include those that the device missed.
pub(super) fn device_counters(text: &str, name: &str) -> Parsed<Option<[(Signal, u64); 6]>> {
    let is_it = |line: &&str| line.split_once(':').is_some_and(|(device, _)| device.trim() == name);
    let Some(line) = text.lines().skip(2).find(is_it) else { return Ok(None) };
    let values = line.split_once(':').map_or("", |(_, values)| values);
    let values: [u64; 16] = several(values)?;
    // Received: bytes, packets, errs, drop, fifo, frame, compressed, multicast; sent: bytes, packets, errs, drop …
    Ok(Some([
        (Signal::NicRxPackets, values[1]),
        (Signal::NicRxErrors, values[2]),
        (Signal::NicRxDropped, values[3]),
        (Signal::NicTxPackets, values[9]),
        (Signal::NicTxErrors, values[10]),
        (Signal::NicTxDropped, values[11]),
    ]))
}

/// Member interfaces of a bond (`/proc/net/bonding/*`).
pub(super) fn slaves(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("Slave Interface: ")).map(str::trim)
}

/// Parent of a VLAN interface (`/proc/net/vlan/config`: `eth0.5 | 5 | eth0`).
pub(super) fn vlan_parent<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut rows = text.lines().map(|line| line.split('|').map(str::trim));
    rows.find_map(|mut row| row.next().is_some_and(|device| device == name).then(|| row.nth(1)).flatten())
}

/// Devices of the routes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Routes {
    /// Devices with a default route.
    pub(super) default: Vec<String>,
    /// Devices with a route to a network, not just to a single address such as a Pod's.
    pub(super) networks: Vec<String>,
}

impl Routes {
    /// `/proc/net/route`: device, destination, …, mask as the eighth; hexadecimal, in network byte order.
    pub(super) fn add_v4(&mut self, text: &str) {
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (Some(device), Some(mask)) = (fields.first(), fields.get(7)) else { continue };
            match *mask {
                "00000000" => self.default.push((*device).to_owned()),
                "FFFFFFFF" => {}
                _ => self.networks.push((*device).to_owned()),
            }
        }
    }

    /// `/proc/net/ipv6_route`: destination, its length, …, device as the last; hexadecimal. Skips
    /// link-local and multicast routes, which every device has.
    pub(super) fn add_v6(&mut self, text: &str) {
        for line in text.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [destination, length, .., device] = fields[..] else { continue };
            if device == "lo" || destination.starts_with("fe8") || destination.starts_with("ff") {
                continue;
            }
            match length {
                "00" => self.default.push(device.to_owned()),
                "80" => {}
                _ => self.networks.push(device.to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
