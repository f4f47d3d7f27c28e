//! OpenTelemetry's names for the signals that it has stable ones for, with `labels.semconv`: semantic conventions
//! [1.45.0](https://github.com/open-telemetry/semantic-conventions/tree/v1.45.0), as Prometheus writes them. Dots are
//! underscores, and the unit is the suffix.
//!
//! An attribute that is not known makes no label. So several rows of ours may be one of theirs, which has their sum.

use super::{
    bounds,
    out::{Label, Out},
    rows::Row,
    scrape::Scrape,
};
use crate::{
    calls::{Code, Method, UNKNOWN},
    sample::FineHistogram,
    state::CallKey,
};
use netwhy_abi::Role;
use std::{collections::BTreeMap, fmt};

/// Stands for names and errors that the conventions do not know.
const OTHER: &str = "_OTHER";

/// Metrics, and the convention for what they measure.
pub(super) struct Convention {
    /// Names; or the beginning of names, with `*` behind it, which stands for those that no name stands for.
    pub(super) ours: &'static [&'static str],
    /// Names of the convention. Empty: it has none.
    pub(super) theirs: &'static [&'static str],
    /// Whether they are stable. Only such names are exported.
    pub(super) is_stable: bool,
}

/// Every metric.
pub(super) static ALL: &[Convention] = &[
    Convention {
        ours: &["netwhy_http_request_seconds", "netwhy_http_requests_estimated_total"],
        theirs: &["http.server.request.duration", "http.client.request.duration"],
        is_stable: true,
    },
    Convention {
        ours: &["netwhy_grpc_call_seconds"],
        theirs: &["rpc.server.call.duration", "rpc.client.call.duration"],
        is_stable: true,
    },
    Convention {
        ours: &["netwhy_dns_lookup_seconds", "netwhy_dns_lookups_total"],
        theirs: &["dns.lookup.duration"],
        is_stable: false,
    },
    Convention {
        ours: &["netwhy_node_nic_packets_total", "netwhy_node_nic_drops_total", "netwhy_node_nic_errors_total"],
        theirs: &["system.network.*"],
        is_stable: false,
    },
    Convention {
        ours: &["netwhy_node_cpu_idle_seconds_total", "netwhy_node_cpus"],
        theirs: &["system.cpu.*"],
        is_stable: false,
    },
    Convention { ours: &["process_*"], theirs: &["process.*"], is_stable: false },
    Convention {
        ours: &[
            "netwhy_tcp_*",
            "netwhy_grpc_calls_missed_total",
            "netwhy_dns_second_answers_missing_total",
            "netwhy_runqueue_seconds",
            "netwhy_cpu_*",
            "netwhy_pressure_seconds_total",
            "netwhy_oom_kills_total",
            "netwhy_packet_drops_total",
            "netwhy_edge_*",
            "netwhy_hint*",
            "netwhy_unattributed_samples_total",
            "netwhy_node_*",
            "netwhy_agent_*",
        ],
        theirs: &[],
        is_stable: false,
    },
];

/// `http.server.request.duration`.
pub(super) fn http_server(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    requests(row, Role::Server, out)
}

/// `http.client.request.duration`.
pub(super) fn http_client(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    requests(row, Role::Client, out)
}

/// `rpc.server.call.duration`.
pub(super) fn rpc_server(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    calls(row, Role::Server, out)
}

/// `rpc.client.call.duration`.
pub(super) fn rpc_client(row: &Row<'_>, _: &Scrape<'_>, out: &mut Out<'_, '_>) -> fmt::Result {
    calls(row, Role::Client, out)
}

fn requests(row: &Row<'_>, role: Role, out: &mut Out<'_, '_>) -> fmt::Result {
    let Some(calls) = &row.view.sums.calls else { return Ok(()) };
    let mut requests: BTreeMap<Request<'_>, FineHistogram> = BTreeMap::new();
    for (key, durations) in calls.rows().filter(|(key, _)| key.role == role && key.code.is_none()) {
        requests.entry(Request::of(key)).or_default().add(durations);
    }
    let [namespace, pod, owner] = row.attributes();
    // Only clear text is read. At a client the scheme is no attribute unless one asks for it.
    let scheme = if role == Role::Server { "http" } else { "" };
    requests.iter().try_for_each(|(request, durations)| {
        let status = request.status.map(|status| status.to_string()).unwrap_or_default();
        let error = match (request.is_error, status.as_str()) {
            (false, _) => "",
            (true, "") => OTHER,
            (true, status) => status,
        };
        let labels: [Label<'_>; 8] = [
            namespace,
            pod,
            owner,
            ("http_request_method", request.method),
            ("http_route", request.route),
            ("http_response_status_code", status.as_str()),
            ("error_type", error),
            ("url_scheme", scheme),
        ];
        out.histogram(&labels, durations, &bounds::RESPONSE)
    })
}

/// The attributes that requests of one series share.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Request<'a> {
    method: &'static str,
    /// Empty: not known, or of a client, where it is no attribute.
    route: &'a str,
    /// `None`: not known, or any of its class.
    status: Option<u16>,
    is_error: bool,
}

impl<'a> Request<'a> {
    fn of(key: &'a CallKey) -> Self {
        let method = key.method.filter(|method| *method != Method::Unknown);
        let has_route = key.role == Role::Server && key.route.starts_with('/');
        let class = if key.status < 10 { key.status } else { key.status / 100 };
        Self {
            method: method.map_or(OTHER, Method::label),
            route: if has_route { &*key.route } else { "" },
            status: (key.status >= 100).then_some(key.status),
            // 4xx is the client's mistake, so no error of the server.
            is_error: class == 5 || (class == 4 && key.role == Role::Client),
        }
    }
}

fn calls(row: &Row<'_>, role: Role, out: &mut Out<'_, '_>) -> fmt::Result {
    let Some(calls) = &row.view.sums.calls else { return Ok(()) };
    let mut by_attributes: BTreeMap<(&str, Option<Code>), FineHistogram> = BTreeMap::new();
    for (key, durations) in calls.rows().filter(|(key, _)| key.role == role) {
        let Some(code) = key.code else { continue };
        let known = (!matches!(code, Code::TrailersOnly | Code::Undecoded)).then_some(code);
        by_attributes.entry((full_method(key), known)).or_default().add(durations);
    }
    let [namespace, pod, owner] = row.attributes();
    by_attributes.iter().try_for_each(|((method, code), durations)| {
        let status = code.map_or("", Code::label);
        // A client's call fails with any code but OK, the server's with those that are its own fault.
        let is_error = code.is_some_and(|code| match role {
            Role::Server => code.is_error() == Some(true),
            Role::Client => code != Code::Ok,
        });
        let labels: [Label<'_>; 7] = [
            namespace,
            pod,
            owner,
            ("rpc_system_name", "grpc"),
            ("rpc_method", method),
            ("rpc_status_code", status),
            ("error_type", if is_error { status } else { "" }),
        ];
        out.histogram(&labels, durations, &bounds::RESPONSE)
    })
}

/// A method's full name: `package.Service/Method`. Empty: it could not be decoded.
fn full_method(key: &CallKey) -> &str {
    let (service, method) = key.grpc_labels();
    if [service, method].contains(&UNKNOWN) {
        return "";
    }
    // Names begin with a letter. `:id` and `~other` stand for several.
    let is_name = |name: &str| name.starts_with(|first: char| first.is_ascii_alphabetic());
    if is_name(service) && is_name(method) { key.route.trim_start_matches('/') } else { OTHER }
}

#[cfg(test)]
mod tests;
