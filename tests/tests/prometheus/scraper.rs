//! Starts Prometheus and queries it.

use crate::{
    http,
    world::{TRAFFIC, wait_until},
};
use netwhy_tests::ports;
pub(crate) use netwhy_tests::prometheus::find;
use netwhy_tests::prometheus::{Prometheus, installed, third};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A scrape target: job, address, label `node`.
pub(crate) struct Target<'a>(pub(crate) &'a str, pub(crate) SocketAddr, pub(crate) &'a str);

/// Those that a test runs with: the installed one, and one of version 3 if that is older. Empty if none is installed.
/// Prints what is missing and why.
pub(crate) fn prometheuses(test: &str) -> Vec<Prometheus> {
    let is_strict = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let Some(installed) = installed() else {
        assert!(!is_strict, "{test} needs prometheus and promtool, and CI=true");
        println!("SKIP {test}: needs prometheus and promtool: `cargo xtask test` unpacks them");
        return Vec::new();
    };
    if installed.version.0 >= 3 {
        return vec![installed];
    }
    match third() {
        Ok(third) => vec![installed, third],
        Err(why) => {
            assert!(!is_strict || why.starts_with("machine:"), "{test}: {why}, and CI=true");
            println!("SKIP {test} with Prometheus 3: {why}");
            vec![installed]
        }
    }
}

/// A running Prometheus with its own data, killed on drop. It is shown as name and version.
pub(crate) struct Scraper {
    pub(crate) prometheus: Prometheus,
    child: Child,
    address: SocketAddr,
    log: PathBuf,
    /// Length of the log when it was ready, bytes.
    begin: usize,
}

impl fmt::Display for Scraper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.prometheus, f)
    }
}

/// One series of an answer: its labels and value.
pub(crate) type Sample = (BTreeMap<String, String>, f64);

impl Scraper {
    /// Scrapes every second and evaluates the chart's rules every two, in `dir`.
    pub(crate) fn start(prometheus: &Prometheus, dir: &Path, targets: &[Target<'_>]) -> Self {
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
        Self::run(prometheus, dir, &config, None)
    }

    /// Runs the installed one with this configuration.
    pub(crate) fn with(dir: &Path, config: &str) -> Self {
        Self::run(&installed().unwrap(), dir, config, None)
    }

    /// Runs with this configuration, and a feature that is off by default.
    pub(crate) fn run(prometheus: &Prometheus, dir: &Path, config: &str, feature: Option<&str>) -> Self {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("prometheus.yml"), config).unwrap();
        let address = ports::free().unwrap();
        let log = dir.join("prometheus.log");
        let mut command = Command::new(TRAFFIC);
        command.args(["exec", "--"]).arg(&prometheus.server);
        command.arg(format!("--config.file={}", dir.join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", dir.join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        command.args(feature.map(|feature| format!("--enable-feature={feature}")));
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut scraper = Self { prometheus: prometheus.clone(), child, address, log, begin: 0 };
        wait_until(&format!("{prometheus} is ready"), || {
            http::get(address, "/-/ready", "*/*").is_some_and(|(status, _)| status == 200)
        });
        scraper.begin = fs::read(&scraper.log).unwrap().len();
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
        let all = self.query(query).unwrap_or_else(|error| panic!("{self}: {query}: {error}"));
        assert!(all.len() <= 1, "{self}: {query}: {all:?}");
        all.first().map(|(_, value)| *value)
    }

    /// Names of the series that a selector finds.
    pub(crate) fn names(&self, selector: &str) -> BTreeSet<String> {
        let series = self.query(&format!("count by (__name__) ({selector})")).unwrap();
        series.into_iter().filter_map(|(mut labels, _)| labels.remove("__name__")).collect()
    }

    /// Its remarks on a query: warnings, and from version 3 on what it finds odd.
    pub(crate) fn remarks(&self, query: &str) -> Vec<String> {
        let (_, body) = http::post(self.address, "/api/v1/query", "query", query).unwrap();
        let answer: Value = serde_json::from_str(&body).unwrap();
        let remarks = ["warnings", "infos"].into_iter().filter_map(|key| answer[key].as_array());
        remarks.flatten().map(Value::to_string).collect()
    }

    /// Warnings and errors of its log since it was ready. Before that they are about the machine, such as its memory.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let text = fs::read(&self.log).unwrap();
        let text = String::from_utf8_lossy(&text[self.begin..]);
        // Version 3 writes levels in capitals.
        let is_complaint = |line: &&str| {
            let line = line.to_ascii_lowercase();
            line.contains("level=warn") || line.contains("level=error")
        };
        text.lines().filter(is_complaint).map(str::to_owned).collect()
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
