use super::*;
use crate::metrics::METRICS;
use row::COLUMNS;
use std::{collections::BTreeSet, fs, path::Path};

/// Most panels outside of collapsed rows: more than a person takes in during an incident hides the answer.
const MAX_VISIBLE: usize = 16;
/// Most words of a title.
const MAX_WORDS: usize = 5;

fn boards() -> Vec<Value> {
    files().unwrap().iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect()
}

/// The panels that the reader sees without opening a row, and the rows themselves.
fn top_level(board: &Value) -> &[Value] {
    board["panels"].as_array().unwrap()
}

fn inside(row: &Value) -> &[Value] {
    row["panels"].as_array().map_or(&[], Vec::as_slice)
}

fn all_panels(board: &Value) -> impl Iterator<Item = &Value> {
    top_level(board).iter().flat_map(|panel| std::iter::once(panel).chain(inside(panel)))
}

fn expressions(board: &Value) -> Vec<&str> {
    let targets = all_panels(board).filter_map(|panel| panel["targets"].as_array()).flatten();
    targets.map(|target| target["expr"].as_str().unwrap()).collect()
}

#[test]
fn committed_dashboards_equal_the_generated_ones() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (path, text) in files().unwrap() {
        let committed = fs::read_to_string(root.join(&path)).unwrap_or_default();
        assert!(committed == text, "{path} is not current: run `cargo xtask docs`");
    }
    let committed = fs::read_dir(root.join("charts/netwhy/dashboards")).unwrap().count();
    assert_eq!(committed, files().unwrap().len(), "a file that nothing generates");
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
fn at_most_sixteen_panels_are_visible_before_a_row_is_opened() {
    for board in boards() {
        let visible = top_level(&board).iter().filter(|panel| panel["type"] != "row").count();
        assert!((1..=MAX_VISIBLE).contains(&visible), "{}: {visible} panels are visible", board["uid"]);
    }
}

#[test]
fn every_row_holds_panels_and_collapsed_rows_come_last() {
    for board in boards() {
        let top = top_level(&board);
        let collapsed = |panel: &Value| panel["collapsed"] == true;
        for (index, row) in top.iter().enumerate().filter(|(_, panel)| panel["type"] == "row") {
            // Grafana keeps a collapsed row's panels inside the row, and an open row's panels behind it.
            let next_is_panel = top.get(index + 1).is_some_and(|next| next["type"] != "row");
            assert_eq!(collapsed(row), !inside(row).is_empty(), "{}", row["title"]);
            assert_eq!(collapsed(row), !next_is_panel, "{}: {}", board["uid"], row["title"]);
        }
        let first_collapsed = top.iter().position(collapsed).unwrap_or(top.len());
        assert!(top[first_collapsed..].iter().all(collapsed), "{}", board["uid"]);
    }
}

#[test]
fn titles_are_short_unique_phrases() {
    for board in boards() {
        let mut seen = BTreeSet::new();
        for panel in all_panels(&board) {
            let title = panel["title"].as_str().unwrap();
            let words = title.split_whitespace().count();
            assert!((1..=MAX_WORDS).contains(&words), "{title}: {words} words");
            assert!(!title.ends_with('.') && !title.contains([':', ',', '?']), "{title}: a phrase, not a sentence");
            assert!(title.starts_with(|first: char| first.is_ascii_uppercase()), "{title}");
            let key = (panel["type"] == "row", title);
            assert!(seen.insert(key), "{}: {title} stands twice", board["uid"]);
        }
    }
}

#[test]
fn panels_have_unique_ids_units_and_queries() {
    for board in boards() {
        let ids: BTreeSet<u64> = all_panels(&board).map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), all_panels(&board).count(), "{}", board["uid"]);
        for panel in all_panels(&board).filter(|panel| panel["type"] != "row") {
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{}", panel["title"]);
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{}", panel["title"]);
        }
    }
}

#[test]
fn panels_stay_inside_the_grid_and_do_not_overlap() {
    for board in boards() {
        assert_no_overlap(top_level(&board));
        for row in top_level(&board).iter().filter(|panel| panel["type"] == "row") {
            assert_no_overlap(inside(row));
            for panel in inside(row) {
                assert!(
                    panel["gridPos"]["y"].as_u64() > row["gridPos"]["y"].as_u64(),
                    "{} is above its row",
                    panel["title"]
                );
            }
        }
    }
}

fn assert_no_overlap(panels: &[Value]) {
    let mut taken = BTreeSet::new();
    for panel in panels {
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(side("x") + side("w") <= COLUMNS, "{} leaves the grid", panel["title"]);
        for y in side("y")..side("y") + side("h") {
            for x in side("x")..side("x") + side("w") {
                assert!(taken.insert((x, y)), "{} covers another panel", panel["title"]);
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
                let range = ["__rate_interval", "__range"].contains(&name.as_str());
                assert!(range || expected.contains(&name.as_str()), "{expression}: ${name}");
            }
        }
    }
}
