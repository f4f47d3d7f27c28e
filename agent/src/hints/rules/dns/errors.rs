//! DNS lookups that are answered at once, but with an error; and names that exist no more.

use super::{by_server, rows, test};
use crate::{
    api::{Blame, Evidence, RuledOut},
    hints::{
        context::{Context, Edge},
        culprit::dns::{Bad, Culprits, Lookups},
        finding::{Finding, evidence},
        rule::{Family, QueryTemplate, Rule},
        stats::{LOSS_ALPHA, OVERWHELMING_ALPHA, binomial_tail_ln, percent},
    },
    state::DnsView,
};
use netwhy_abi::DnsCode;

pub(crate) const DNS_ERRORS: Rule = Rule {
    id: "dns_errors",
    family: Family::Dns,
    order: 470,
    symptom: "name_resolution_fails",
    meaning: "The DNS server answers the Pod's lookups, but with errors: it can't resolve (SERVFAIL), or it won't \
              (REFUSED). Or names that were found until now don't exist any more (NXDOMAIN). New connections by name \
              fail, and open ones go on.",
    signals: &["netwhy_dns_lookups_total"],
    test: "At least 5 % of the Pod's lookups at one server are answered with an error other than NXDOMAIN. The usual \
           share of errors (at least 1 %) would make so many with a chance below 1e-6 (Poisson). When half of a Pod's \
           few lookups fail, the lookups of all Pods at that server are tested together. For NXDOMAIN: the usual share \
           of such answers would make so many with a chance below 1e-6 (binomial), while at most half as many names per \
           second are found as usual.",
    minimum: "As much as the test needs: 4 errors in the window, by all Pods together. NXDOMAIN needs a baseline of 10 \
              clean windows. The `dns` probe, on Linux 6.3 or later.",
    ruled_out_by: "NXDOMAIN answers beside as many names found as usual: search lists ask for names that don't exist.",
    action: "SERVFAIL: check the DNS server's upstream and its log. REFUSED: check its access list. NXDOMAIN: check \
             whether the Service or zone that the Pod asks for still exists, and the Pod's search list.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "answered DNS lookups per second, by code",
        promql: "sum by (code) (rate(netwhy_dns_lookups_total{L,result=\"answered\"}R))",
    }],
};

/// Share of the usual names per second up to which names are missing.
const FOUND_SHARE: f64 = 0.5;
/// NXDOMAIN answers that a finding needs.
const MIN_ABSENT: u64 = 4;

pub(super) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let memory = &context.memory.dns;
    let failed = rows(context, |row| (row.window.errors(), memory.error_ratio(row) * row.window.coded() as f64));
    let absent = rows(context, |row| {
        let usual = memory.names(row).map_or(1.0, |names| names.absent_ratio);
        (row.window.code(DnsCode::NxDomain), usual * row.window.coded() as f64)
    });
    let servers = by_server(&failed);
    let mut out = describe_all(context, &failed, |one| test(&servers, one));
    out.extend(describe_all(context, &absent, |one| test_absent(context, one)));
    out
}

/// `test`: logarithm of the chance of so many errors. `None`: there are too few.
fn describe_all<'a>(
    context: &Context<'a>,
    all: &[Lookups<'a>],
    test: impl Fn(&Lookups<'_>) -> Option<f64>,
) -> Vec<Finding> {
    let found: Vec<_> = all.iter().enumerate().filter_map(|(at, one)| Some((at, one, test(one)?))).collect();
    if found.is_empty() {
        return Vec::new();
    }
    let culprits = Culprits::new(context, all, Bad::Errors);
    found.iter().map(|(at, one, ln_p)| describe(context, one, (culprits.of(*at, one), *ln_p))).collect()
}

/// Logarithm of the chance of so many names that don't exist. `None`: as many names as usual are found.
fn test_absent(context: &Context<'_>, lookups: &Lookups<'_>) -> Option<f64> {
    let (row, absent) = (lookups.row, lookups.bad);
    let usual = context.memory.dns.names(row)?;
    let found = row.window.found() / context.window.as_secs_f64();
    let [absent_seen, coded] = [absent, row.window.coded()].map(|n| lookups.independent(n as f64));
    let ln_p = binomial_tail_ln(absent_seen, coded, usual.absent_ratio);
    let are_missing = usual.found_per_s > 0.0 && found <= FOUND_SHARE * usual.found_per_s;
    (absent >= MIN_ABSENT && are_missing && ln_p <= LOSS_ALPHA.ln()).then_some(ln_p)
}

fn describe(context: &Context<'_>, lookups: &Lookups<'_>, (blame, ln_p): (Blame, f64)) -> Finding {
    let (row, subject) = (lookups.row, context.subject(lookups.subject));
    let server = Edge::of_ends(&row.server);
    let (name, server_name) = (subject.name(), server.peer_name());
    let (coded, usual) = (row.window.coded().max(1) as f64, lookups.expected / row.window.coded().max(1) as f64);
    Finding {
        nats: LOSS_ALPHA.ln() - ln_p,
        overwhelming: ln_p <= OVERWHELMING_ALPHA.ln(),
        summary: format!(
            "{server_name} answers {} of {} lookups of {name} with an error: {} (normally up to {})",
            lookups.bad,
            row.window.coded(),
            codes_text(row),
            percent(usual)
        ),
        evidence: numbers(context, row, (coded, usual), &context.place(&server)),
        ruled_out: vec![RuledOut {
            cause: "dns_slow".into(),
            because: format!("{} of {} lookups were answered", row.window.answered, row.window.count()),
        }],
        ..Finding::new(&DNS_ERRORS, subject.ix, blame)
    }
}

/// `12 SERVFAIL, 3 NXDOMAIN`.
fn codes_text(row: &DnsView) -> String {
    let bad = DnsCode::ALL.into_iter().filter(|code| *code != DnsCode::NoError && row.window.code(*code) > 0);
    let texts: Vec<String> =
        bad.map(|code| format!("{} {}", row.window.code(code), code.label().to_uppercase())).collect();
    texts.join(", ")
}

fn numbers(context: &Context<'_>, row: &DnsView, (coded, usual): (f64, f64), place: &str) -> Vec<Evidence> {
    const SOURCE: &str = "ebpf:sk_data_ready";
    let bad = DnsCode::ALL.into_iter().filter(|code| *code != DnsCode::NoError && row.window.code(*code) > 0);
    let share = |code: DnsCode| {
        let signal = format!("netwhy_dns_lookups_total{{code=\"{}\"}}", code.label());
        let value = evidence(&signal, row.window.code(code) as f64 / coded, "ratio", place, SOURCE);
        Evidence { baseline: Some(usual), ..value }
    };
    let found = row.window.found() / context.window.as_secs_f64();
    let found = evidence("names_found", found, "names per second", place, SOURCE);
    let usual_found = context.memory.dns.names(row).map(|names| names.found_per_s);
    bad.map(share).chain([Evidence { baseline: usual_found, ..found }]).collect()
}

#[cfg(test)]
mod tests;
