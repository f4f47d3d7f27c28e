//! A Prometheus that scrapes the agents of one case each second.

use super::table::{self, Series};
use crate::{demo::http, sh};
use anyhow::{Context as _, Result, bail, ensure};
use netwhy_tests::{kept::Kept, ports, stop};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    net::SocketAddr,
    ops::RangeInclusive,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How long it may take to start.
const READY: Duration = Duration::from_secs(60);
const TARGETS: &str = "targets.json";
/// All series of the agents: `{job="netwhy"}`.
const ALL: &str = "%7Bjob%3D%22netwhy%22%7D";
/// How many agents were reached: `sum(up{job="netwhy"})`.
const UP: &str = "sum(up%7Bjob%3D%22netwhy%22%7D)";

/// Agents: Node and address.
pub(in crate::eval::generated) type Targets = Vec<(String, SocketAddr)>;

/// A running Prometheus; it ends when dropped, and its data go.
pub(in crate::eval::generated) struct Scraper {
    server: Option<Kept>,
    address: SocketAddr,
    dir: PathBuf,
    targets: Targets,
}

impl Scraper {
    /// Starts `prometheus` in `dir`, and waits until it has scraped all targets. `bin`: where netwhy-traffic is.
    pub(super) fn start(prometheus: &Path, bin: &Path, dir: PathBuf, targets: Targets) -> Result<Self> {
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        let address = ports::free().context("find a free port")?;
        let config = dir.join("prometheus.yml");
        fs::write(&config, configuration(&dir)).with_context(|| format!("write {}", config.display()))?;
        let mut this = Self { server: None, address, dir, targets: Targets::new() };
        this.aim(targets)?;
        let log = this.dir.join("prometheus.log");
        let log = File::create(&log).with_context(|| format!("make {}", log.display()))?;
        let traffic = bin.join("netwhy-traffic");
        let mut command = Command::new(&traffic);
        command.args(["exec", "--"]).arg(prometheus);
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", this.dir.join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        // It shares the machine with the Nodes of all cases.
        command.env("GOMAXPROCS", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0);
        let child = command.spawn().with_context(|| format!("start `{}`", sh::shown(&command)))?;
        this.server = Some(Kept::new(&traffic, child)?);
        this.wait_ready()?;
        Ok(this)
    }

    /// Prometheus takes up new targets every few seconds.
    fn wait_ready(&mut self) -> Result<()> {
        let end = Instant::now() + READY;
        while !self.has_scraped_all() {
            if let Some(server) = &mut self.server {
                let ended = server.try_wait().context("look after Prometheus")?;
                ensure!(ended.is_none(), "Prometheus ended: see {}/prometheus.log", self.dir.display());
            }
            ensure!(Instant::now() < end, "Prometheus has not scraped all agents after {} s", READY.as_secs());
            if stop::sleep(Duration::from_millis(100)) {
                bail!("interrupted");
            }
        }
        Ok(())
    }

    fn has_scraped_all(&self) -> bool {
        let Ok(answer) = http::get(self.address, &format!("/api/v1/query?query={UP}")) else { return false };
        let answer: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let up = answer["data"]["result"][0]["value"][1].as_str();
        up.and_then(|count| count.parse::<usize>().ok()) == Some(self.targets.len())
    }

    /// Scrapes these agents from now on: one that was restarted has another address.
    pub(in crate::eval::generated) fn aim(&mut self, targets: Targets) -> Result<()> {
        if targets == self.targets {
            return Ok(());
        }
        let (file, part) = (self.dir.join(TARGETS), self.dir.join("targets.part"));
        let groups: Vec<Value> = targets
            .iter()
            .map(|(node, address)| json!({ "targets": [address.to_string()], "labels": { "node": node } }))
            .collect();
        // Never half a file.
        fs::write(&part, json!(groups).to_string())
            .and_then(|()| fs::rename(&part, &file))
            .with_context(|| format!("write {}", file.display()))?;
        self.targets = targets;
        Ok(())
    }

    /// What it scraped in these seconds of the Unix epoch.
    pub(super) fn series(&self, seconds: &RangeInclusive<i64>) -> Result<Vec<Series>> {
        let (start, end) = (seconds.start(), seconds.end());
        let path = format!("/api/v1/query_range?query={ALL}&start={start}&end={end}&step=1");
        let answer = http::get(self.address, &path)?;
        ensure!(answer.status == 200, "GET {path}: status {}: {}", answer.status, answer.body.trim());
        table::read(&serde_json::from_str(&answer.body).context("parse an answer of Prometheus")?)
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        drop(self.server.take());
        let _ = fs::remove_dir_all(self.dir.join("data"));
    }
}

/// Buckets of histograms are dropped: the table has their means.
fn configuration(dir: &Path) -> String {
    format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs:\n\
         - job_name: netwhy\n\
         \x20 honor_labels: true\n\
         \x20 file_sd_configs: [{{files: ['{}'], refresh_interval: 1s}}]\n\
         \x20 metric_relabel_configs: [{{source_labels: [__name__], regex: '.+_bucket', action: drop}}]\n",
        dir.join(TARGETS).display()
    )
}
