//! Readers of input that others write, for fuzzing.
//!
//! Each target reads bytes as the agent or the plugin does, and checks what must hold for any input. `fuzz/` hands them
//! to libFuzzer (`cargo xtask fuzz`). The tests run them over the files in `fuzz/corpus/`, where crashes are kept.

use crate::{btf::KernelTypes, calls, cgroup, config, names, node, peers, plugin, replay, sample};
use std::io::Cursor;

/// Reads some bytes. It panics when a rule is broken.
pub type Target = fn(&[u8]);

/// All targets: name of the folder in `fuzz/corpus/` and of the program in `fuzz/fuzz_targets/`, and function.
pub const TARGETS: [(&str, Target); 14] = [
    ("answers", answers),
    ("btf", btf),
    ("cgroup_files", cgroup_files),
    ("cgroup_path", cgroup_path),
    ("config", config),
    ("conntrack", conntrack),
    ("dns_answers", dns_answers),
    ("http2_segments", http2_segments),
    ("http_heads", http_heads),
    ("mountinfo", mountinfo),
    ("netlink", netlink),
    ("procfs", procfs),
    ("recording", recording),
    ("webhook", webhook),
];

/// Answers of an agent, and of an API server that refuses, up to the plugin's reports.
pub fn answers(data: &[u8]) {
    plugin::fuzz::answers(data);
}

/// What Alertmanager sends to `kubectl netwhy respond`, up to the look-ups that it asks for.
pub fn webhook(data: &[u8]) {
    plugin::fuzz::webhook(data);
}

/// The path of a cgroup.
pub fn cgroup_path(data: &[u8]) {
    cgroup::fuzz::path(&String::from_utf8_lossy(data));
}

/// Control files of a cgroup.
pub fn cgroup_files(data: &[u8]) {
    cgroup::fuzz::files(&String::from_utf8_lossy(data));
}

/// First bytes of HTTP requests and answers.
pub fn http_heads(data: &[u8]) {
    calls::fuzz(data);
}

/// Answers of DNS servers.
pub fn dns_answers(data: &[u8]) {
    names::fuzz(data);
}

/// Segments of followed HTTP/2 connections, up to calls.
pub fn http2_segments(data: &[u8]) {
    calls::fuzz_http2(data);
}

/// The mount table.
pub fn mountinfo(data: &[u8]) {
    // It has one mount of cgroup v2, or none.
    drop(cgroup::Mounts::parse(&String::from_utf8_lossy(data)));
}

/// Files of procfs and sysfs.
pub fn procfs(data: &[u8]) {
    node::fuzz::procfs(&String::from_utf8_lossy(data));
}

/// The kernel's connection tracking table.
pub fn conntrack(data: &[u8]) {
    peers::fuzz::conntrack(data);
}

/// Datagrams of rtnetlink.
pub fn netlink(data: &[u8]) {
    node::fuzz::netlink(data);
}

/// The kernel's type information.
pub fn btf(data: &[u8]) {
    const PATHS: [&str; 4] = ["tcp_sock.srtt_us", "sock.sk_cgrp_data.cgroup", "a.a.a", "sock.__sk_common.skc_daddr"];
    let Ok(types) = KernelTypes::parse(data.to_vec()) else { return };
    for path in PATHS {
        if let Some(member) = types.offset(path) {
            assert!(member.shift() < 8 && member.byte() == member.bit_offset / 8, "{member:?}");
        }
    }
    for name in ["skb_drop_reason", "a"] {
        assert!(types.enum_values(name).len() <= data.len(), "more members than bytes");
        types.tracepoint_args(name);
    }
}

/// A configuration file.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match config::Config::parse(&text, "file.yaml") {
        Ok(config) => assert!(config::explain(&config, "file.yaml").starts_with("file.yaml: ok\n")),
        Err(errors) => {
            let shown = errors.to_string();
            assert!(!errors.errors.is_empty(), "refused without a mistake");
            assert_eq!(shown.lines().count(), errors.errors.len(), "one line for each mistake: {shown:?}");
            let lines = text.lines().count().max(1);
            for error in &errors.errors {
                assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "no such line: {error:?}");
                assert!(!error.message.is_empty(), "{error:?}");
            }
        }
    }
}

/// A recording, up to hints and metrics.
pub fn recording(data: &[u8]) {
    use config::cli::ReplayFormat;
    let Ok(recording) = sample::Recording::read(Cursor::new(data), "file.jsonl") else { return };
    let replayed = match replay::replay(recording, &config::Config::default()) {
        Ok(replayed) => replayed,
        // Damage is found at its line.
        Err(error) => return assert!(!error.to_string().contains('\n'), "{error}"),
    };
    for format in [ReplayFormat::Table, ReplayFormat::Json, ReplayFormat::Metrics] {
        drop(replay::render(&replayed, format).expect("every view can be shown"));
    }
}

#[cfg(test)]
mod tests;
