//! The Helm chart, rendered by the real `helm` with every combination of its switches. It must fit the Kubernetes API
//! and demand only the rights that the agent needs.

mod admission;
mod api;
mod cel;
mod documents;
mod earlier;
mod grafana;
mod helm;
mod memory;
mod dashboards;
mod monitors;
mod openshift;
mod refusals;
mod respond;
mod rights;
mod rules;
mod shell;
mod sources;
mod switches;
