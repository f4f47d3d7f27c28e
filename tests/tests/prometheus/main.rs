//! Real Prometheus servers scrape a real agent in a laboratory: Debian's, and one of version 3 that `suite-get` in
//! `NETWHY_KUBE_TOOLS` unpacks once. The tests check the exposition, the dashboards' queries and the chart's rules.
//!
//! ```text
//! world::World  a shop with traffic ◀── observed by ── an agent ◀── scraped by ── each Prometheus
//! alertmanager  a real Alertmanager and `kubectl netwhy respond`: verdicts for alerts that fire
//! rules         promtool: valid rules, and a firing and a silent case for every alert
//! exposition    both texts, no scrape errors, promtool's lint, quantiles
//! native        protobuf: native histograms, the same series otherwise; classic ones beside them
//! queries       every query of every dashboard and every rule returns series, and no remark
//! secured       https with client certificates and tokens of a real API server; a renewed certificate
//! series        the budget per Pod, churn, staleness, a restart of the agent
//! ```

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests may")]

mod agent;
mod alertmanager;
#[path = "../api/server.rs"]
#[expect(dead_code, reason = "the tests of the API server use the rest")]
mod api_server;
mod exposition;
#[path = "../api/folder.rs"]
mod folder;
mod http;
mod native;
mod queries;
mod rules;
mod scraper;
mod secured;
mod series;
mod world;
