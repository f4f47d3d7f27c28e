//! Runs `helm` on the chart of this repository.

use netwhy_tests::helm;
use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The chart's folder.
pub(crate) fn chart() -> PathBuf {
    workspace().join("charts/netwhy")
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_path_buf()
}

/// The program; says that a test is skipped where it is not to be had.
pub(crate) struct Helm(PathBuf);

impl Helm {
    pub(crate) fn found(test: &str) -> Option<Self> {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
        let found = helm::find(&workspace().join(target)).map(Self);
        if found.is_none() {
            println!("SKIP {test}: no helm: `cargo xtask chart` installs it");
        }
        found
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(&self.0);
        command.args(args);
        // Plugins, repositories and settings of the one who runs the tests have no say.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("HELM_") {
                command.env_remove(name);
            }
        }
        command.output().expect("helm can be started")
    }

    /// `helm lint --strict`.
    pub(crate) fn lint(&self, set: &[String]) -> Result<String, String> {
        self.on_chart(&["lint", "--strict"], set)
    }

    /// `helm template`, in the namespace `watch`, as the release `netwhy`.
    pub(crate) fn template(&self, set: &[String]) -> Result<String, String> {
        self.on_chart(&["template", "netwhy", "--namespace", "watch"], set)
    }

    /// The notes that an installation ends with.
    pub(crate) fn notes(&self, set: &[String]) -> Result<String, String> {
        // Without a cluster only `install --dry-run=client` renders them.
        self.on_chart(&["install", "netwhy", "--namespace", "watch", "--dry-run=client", "--generate-name=false"], set)
    }

    fn on_chart(&self, args: &[&str], set: &[String]) -> Result<String, String> {
        let chart = chart();
        let mut all: Vec<&str> = args.to_vec();
        all.push(chart.to_str().expect("a path of text"));
        for value in set {
            all.extend(["--set-json", value]);
        }
        let output = self.run(&all);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("helm prints text");
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }
}
