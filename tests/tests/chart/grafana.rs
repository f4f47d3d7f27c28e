//! Checks the dashboards against the types that Grafana publishes on npm.

use crate::helm::{chart, workspace};
use serde_json::Value;
use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Pinned npm packages: the types and their compiler.
const PACKAGES: [&str; 2] = ["@grafana/schema@11.6.16", "typescript@5.9.3"];

/// Grafana's types. JSON has no enums, so each enum becomes the union of its texts.
const HEAD: &str = r#"import type { Dashboard, AnnotationQuery, DataQuery, RowPanel } from '@grafana/schema';
import type { Panel } from '@grafana/schema';
import type { Options as TimeSeriesOptions, FieldConfig as TimeSeriesField } from
  './node_modules/@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import type { Options as StatOptions } from
  './node_modules/@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { Options as TableOptions, FieldConfig as TableField } from
  './node_modules/@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { Options as HeatmapOptions } from
  './node_modules/@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';

type Json<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends Array<infer U> ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
type Part<T> = T extends Array<infer U> ? Part<U>[] : T extends object ? { [K in keyof T]?: Part<T[K]> } : T;

// Grafana's panel type leaves `options`, `custom` and `targets` open: they depend on the panel's kind.
// The package has no type for a query of Prometheus.
type Target = Json<DataQuery> & { expr: string; datasource: { type: string; uid: string };
  format: 'time_series' | 'table' | 'heatmap'; instant: boolean; range: boolean; legendFormat: string };
type Of<Kind extends string, O, F> = Omit<Json<Panel>, 'type' | 'options' | 'targets' | 'fieldConfig'> & {
  type: Kind; options: Part<Json<O>>; targets: Target[];
  fieldConfig: {
    defaults: Omit<Json<NonNullable<Panel['fieldConfig']>['defaults']>, 'custom'> & { custom: Part<Json<F>> };
    overrides: Json<NonNullable<Panel['fieldConfig']>['overrides']> };
};
type Graph = Of<'timeseries', TimeSeriesOptions, TimeSeriesField> | Of<'stat', StatOptions, {}>
  | Of<'table', TableOptions, TableField & { filterable: boolean }> | Of<'heatmap', HeatmapOptions, {}>;
// A collapsed row holds its panels inside.
type AnyPanel = Graph | (Omit<Json<RowPanel>, 'panels'> & { panels: Graph[] });
// Prometheus adds fields to Grafana's annotations.
type Annotation = Json<AnnotationQuery> & {
  expr: string; step: string; titleFormat: string; textFormat: string; tagKeys: string; useValueForTime: boolean };
type Variable = Json<NonNullable<NonNullable<Dashboard['templating']>['list']>[number]> & { definition?: string };
type Board = Omit<Json<Dashboard>, 'annotations' | 'panels' | 'templating'> & {
  annotations: { list: Annotation[] }; panels: AnyPanel[]; templating: { list: Variable[] } };

"#;

/// A folder with the types and their compiler. `None`: not available; the reason was printed.
fn installed(test: &str) -> Option<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let dir = workspace().join(target).join("xtask/grafana");
    let compiler = dir.join("node_modules/typescript/bin/tsc");
    if !compiler.is_file() || !dir.join("node_modules/@grafana/schema/package.json").is_file() {
        fs::create_dir_all(&dir).expect("the target folder can be written");
        let mut npm = Command::new("npm");
        npm.current_dir(&dir).args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix", "."]).args(PACKAGES);
        match npm.output() {
            Err(error) => {
                println!("SKIP {test}: machine: no npm: {error}");
                return None;
            }
            Ok(output) if !output.status.success() => {
                println!("SKIP {test}: npm can't install {}: {}", PACKAGES.join(" "), said(&output).lines().last()?);
                return None;
            }
            Ok(_) => {}
        }
    }
    Some(dir)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

/// The compiler's errors for these dashboards; empty without errors.
fn complaints(dir: &Path, file: &str, boards: &[Value]) -> String {
    let mut text = String::from(HEAD);
    for (index, board) in boards.iter().enumerate() {
        writeln!(text, "export const board{index}: Board = {board:#};").expect("a string takes everything");
    }
    let path = dir.join(format!("{file}-{}.ts", std::process::id()));
    fs::write(&path, text).expect("the target folder can be written");
    let mut tsc = Command::new("node");
    tsc.current_dir(dir).arg("node_modules/typescript/bin/tsc").arg(&path);
    tsc.args(["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext"]);
    tsc.args(["--moduleResolution", "bundler"]);
    let output = tsc.output().expect("npm comes with node");
    let _ = fs::remove_file(&path);
    if output.status.success() { String::new() } else { said(&output) }
}

fn boards() -> Vec<Value> {
    let files = fs::read_dir(chart().join("dashboards")).expect("dashboards/").flatten();
    let read = |file: fs::DirEntry| fs::read_to_string(file.path()).expect("a file");
    files.map(|file| serde_json::from_str(&read(file)).expect("JSON")).collect()
}

#[test]
fn dashboards_have_grafanas_own_types() {
    let Some(dir) = installed("dashboards_have_grafanas_own_types") else { return };
    let boards = boards();
    assert_eq!(boards.len(), 4);
    let found = complaints(&dir, "boards", &boards);
    assert!(found.is_empty(), "{}", found.chars().take(4000).collect::<String>());
    // The compiler must see each kind of mistake.
    let spoiled: [fn(&mut Value); 6] = [
        |board| board["schemaVersion"] = "39".into(),
        |board| board["grafTooltip"] = 1.into(),
        |board| board["panels"][1]["fieldConfig"]["defaults"]["color"]["mode"] = "threshold".into(),
        |board| board["panels"][1]["gridPos"]["w"] = "24".into(),
        |board| board["panels"][1]["options"]["textMod"] = "auto".into(),
        |board| board["links"][0]["type"] = "dashboard".into(),
    ];
    let overview = boards.iter().find(|board| board["uid"] == "netwhy-overview").expect("an overview");
    let wrong: Vec<Value> = spoiled
        .iter()
        .map(|spoil| {
            let mut board = overview.clone();
            spoil(&mut board);
            board
        })
        .collect();
    let found = complaints(&dir, "spoiled", &wrong);
    let lines = found.lines().filter(|line| line.contains("error TS")).count();
    assert!(lines >= spoiled.len(), "{lines} of {} mistakes were seen: {found}", spoiled.len());
}
