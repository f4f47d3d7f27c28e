//! Starts Prometheus and queries it.

use crate::{
    http,
    world::{TRAFFIC, wait_until},
};
use netwhy_tests::ports;
pub(crate) use netwhy_tests::prometheus::find;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A scrape target: job, address, label `node`.
pub(crate) struct Target<'a>(pub(crate) &'a str, pub(crate) SocketAddr, pub(crate) &'a str);

/// A running Prometheus with its own data, killed on drop.
pub(crate) struct Scraper {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

/// One series of an answer: its labels and value.
pub(crate) type Sample = (BTreeMap<String, String>, f64);

impl Scraper {
    /// Scrapes every second and evaluates the chart's rules every two, in `dir`.
    pub(crate) fn start(dir: &Path, targets: &[Target<'_>]) -> Self {
        let rules = dir.join("rules");
        fs::create_dir_all(&rules).unwrap();
        for file in rule_files() {
            let text = fs::read_to_string(&file).unwrap();
            fs::write(rules.join(file.file_name().unwrap()), text.replace("interval: 30s", "interval: 2s")).unwrap();
        }
        let mut config = String::from(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 2s}\n\
             rule_files: [rules/*.yaml]\nscrape_configs:\n",
        );
        for Target(job, address, node) in targets {
            config.push_str(&format!(
                "  - job_name: {job}\n    honor_labels: true\n    \
                 static_configs: [{{targets: ['{address}'], labels: {{node: {node}}}}}]\n"
            ));
        }
        Self::with(dir, &config)
    }

    /// Runs with this configuration.
    pub(crate) fn with(dir: &Path, config: &str) -> Self {
        Self::with_features(dir, config, &[])
    }

    /// The same with features that are off by default.
    pub(crate) fn with_features(dir: &Path, config: &str, features: &[&str]) -> Self {
        fs::write(dir.join("prometheus.yml"), config).unwrap();
        let address = ports::free().unwrap();
        let log = dir.join("prometheus.log");
        let mut command = Command::new(TRAFFIC);
        command.args(["exec", "--"]).arg(find("prometheus").unwrap());
        command.arg(format!("--config.file={}", dir.join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", dir.join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        if !features.is_empty() {
            command.arg(format!("--enable-feature={}", features.join(",")));
        }
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        let scraper = Self { child, address, log };
        wait_until("Prometheus is ready", || {
            http::get(address, "/-/ready", "*/*").is_some_and(|(status, _)| status == 200)
        });
        scraper
    }

    /// An answer of its API, or the error text of Prometheus.
    pub(crate) fn ask(&self, path: &str, query: Option<&str>) -> Result<Value, String> {
        let answer = match query {
            Some(query) => http::post(self.address, path, "query", query),
            None => http::get(self.address, path, "*/*"),
        };
        let (_, body) = answer.ok_or("no answer")?;
        let answer: Value = serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
        if answer["status"] == "success" { Ok(answer["data"].clone()) } else { Err(answer["error"].to_string()) }
    }

    /// Series of an instant query, without NaN.
    pub(crate) fn query(&self, query: &str) -> Result<Vec<Sample>, String> {
        let data = self.ask("/api/v1/query", Some(query))?;
        let one = |series: &Value| -> Sample {
            let labels = serde_json::from_value(series["metric"].clone()).unwrap();
            (labels, series["value"][1].as_str().unwrap().parse().unwrap())
        };
        let all: Vec<Sample> = data["result"].as_array().ok_or("no vector")?.iter().map(one).collect();
        Ok(all.into_iter().filter(|(_, value)| !value.is_nan()).collect())
    }

    /// The only value of a query. `None`: no series.
    pub(crate) fn value(&self, query: &str) -> Option<f64> {
        let all = self.query(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert!(all.len() <= 1, "{query}: {all:?}");
        all.first().map(|(_, value)| *value)
    }

    /// Warnings and errors of its log.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.log).unwrap();
        text.lines()
            .filter(|line| line.contains("level=warn") || line.contains("level=error"))
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The chart's rules.
pub(crate) fn rule_files() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/netwhy/rules");
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
