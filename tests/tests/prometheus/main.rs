//! A real Prometheus (Debian's package) scrapes a real agent in a laboratory: what the agent exports, what the dashboards
//! ask, and what the chart's rules say.
//!
//! ```text
//! world::World  a shop with traffic ◀── observed by ── an agent ◀── scraped by ── Prometheus
//! rules         promtool: rules are right, and every alert fires and keeps silent where it should
//! exposition    both formats, no scrape errors, promtool's lint, quantiles
//! queries       every query of every dashboard and every rule returns series
//! series        the budget per Pod, churn, staleness, an agent that starts again
//! ```

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests may")]

mod agent;
mod exposition;
mod http;
mod queries;
mod rules;
mod scraper;
mod series;
mod world;
