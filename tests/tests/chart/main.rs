//! The Helm chart, rendered by the real `helm` with every combination of its switches: what it asks of a cluster is what
//! the Kubernetes API knows, what the agent needs, and nothing more.

mod api;
mod documents;
mod grafana;
mod helm;
mod dashboards;
mod monitors;
mod refusals;
mod rights;
mod rules;
mod sources;
mod switches;
