use super::*;
use crate::metrics::METRICS;
use std::{collections::BTreeSet, fs, path::Path};

fn boards() -> Vec<Value> {
    files().unwrap().iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect()
}

fn expressions(board: &Value) -> Vec<&str> {
    let panels = board["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    targets.map(|target| target["expr"].as_str().unwrap()).collect()
}

#[test]
fn committed_dashboards_equal_what_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, text) in files().unwrap() {
        let committed = fs::read_to_string(root.join(&path)).unwrap_or_default();
        assert!(committed == text, "{path} is not what the table says: run `cargo xtask docs`");
    }
    let committed = fs::read_dir(root.join("charts/netwhy/dashboards")).unwrap().count();
    assert_eq!(committed, files().unwrap().len(), "a file that nothing makes");
}

#[test]
fn every_metric_is_on_a_dashboard() {
    let boards = boards();
    let all: String = boards.iter().flat_map(expressions).collect::<Vec<_>>().join("\n");
    for metric in METRICS.into_iter().flatten() {
        let shown = all.match_indices(metric.name).any(|(at, _)| {
            let rest = &all[at + metric.name.len()..];
            let rest = ["_bucket", "_count", "_sum"].iter().find_map(|end| rest.strip_prefix(end)).unwrap_or(rest);
            rest.starts_with(['{', '[', ')', ' '])
        });
        assert!(shown, "{} is on no dashboard", metric.name);
    }
}

#[test]
fn panels_have_ids_places_units_and_do_not_overlap() {
    for board in boards() {
        let panels = board["panels"].as_array().unwrap();
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len());
        let mut taken = BTreeSet::new();
        for panel in panels {
            let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            assert!(place("x") + place("w") <= COLUMNS, "{}", panel["title"]);
            for y in place("y")..place("y") + place("h") {
                for x in place("x")..place("x") + place("w") {
                    assert!(taken.insert((x, y)), "{} covers another", panel["title"]);
                }
            }
            if panel["type"] != "row" {
                assert!(
                    panel["fieldConfig"]["defaults"]["unit"].is_string()
                        && !panel["targets"].as_array().unwrap().is_empty()
                );
            }
        }
    }
}

#[test]
fn every_link_leads_to_a_page_or_a_dashboard() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let uids: Vec<String> = boards().iter().map(|board| board["uid"].as_str().unwrap().to_owned()).collect();
    let mut pages = 0;
    for (path, text) in files().unwrap() {
        for (at, _) in text.match_indices("\"url\": \"") {
            let url = text[at + 8..].split('"').next().unwrap();
            if let Some(rest) = url.strip_prefix("/d/") {
                assert!(uids.iter().any(|uid| rest.starts_with(&format!("{uid}?"))), "{path}: {url}");
            } else {
                let page = url.split('#').next().unwrap();
                assert!(page.starts_with("docs/") && root.join(page).exists(), "{path}: {url}");
                pages += 1;
            }
        }
    }
    assert!(pages > 10, "{pages}");
}

#[test]
fn variables_and_annotations_are_there() {
    for (board, expected) in boards().iter().zip([
        &["datasource", "cluster"][..],
        &["datasource", "cluster", "node"],
        &["datasource", "cluster", "namespace", "workload", "pod"],
        &["datasource", "cluster", "node"],
    ]) {
        let list = board["templating"]["list"].as_array().unwrap();
        let names: Vec<&str> = list.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected);
        assert!(board["annotations"]["list"][0]["expr"].as_str().unwrap().contains("netwhy_hint{"));
        for expression in expressions(board) {
            for name in expression.split('$').skip(1).filter(|rest| !rest.starts_with(|c: char| c.is_ascii_digit())) {
                let name: String = name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                assert!(name == "__rate_interval" || expected.contains(&name.as_str()), "{expression}: ${name}");
            }
        }
    }
}
