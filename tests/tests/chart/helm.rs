//! Runs `helm` on the chart of this repository.

use netwhy_tests::helm;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

/// An API of Kubernetes 1.30.
const ADMISSION: &str = "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy";

/// The chart's folder.
pub(crate) fn chart() -> PathBuf {
    workspace().join("charts/netwhy")
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_path_buf()
}

/// The program. Prints that a test is skipped if it is not installed.
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
        // The developer's own plugins, repositories and settings must not matter.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("HELM_") {
                command.env_remove(name);
            }
        }
        command.output().expect("helm can be started")
    }

    /// `helm lint --strict`.
    pub(crate) fn lint(&self, set: &[String]) -> Result<String, String> {
        self.on_chart(&["lint", "--strict"], &chart(), set)
    }

    /// `helm template`, in the namespace `watch`, as the release `netwhy`, for a cluster that serves admission policies.
    pub(crate) fn template(&self, set: &[String]) -> Result<String, String> {
        self.on_chart(&["template", "netwhy", "--namespace", "watch", "--api-versions", ADMISSION], &chart(), set)
    }

    /// The same with a file of values.
    pub(crate) fn template_with(&self, values: &Path) -> Result<String, String> {
        let values = values.to_str().expect("a path of text");
        let args = ["template", "netwhy", "--namespace", "watch", "--api-versions", ADMISSION, "--values", values];
        self.on_chart(&args, &chart(), &[])
    }

    /// The same with these values instead of the chart's own, as `helm upgrade --reuse-values` does.
    pub(crate) fn template_reusing(&self, values: &Path) -> Result<String, String> {
        let (copy, templates) = (Copy::of(&chart()), chart().join("templates"));
        for file in fs::read_dir(templates).expect("the chart has templates") {
            let file = file.expect("templates can be listed");
            fs::copy(file.path(), copy.0.join("templates").join(file.file_name())).expect("the copy can be changed");
        }
        fs::copy(values, copy.0.join("values.yaml")).expect("there are values");
        self.on_chart(&["template", "netwhy", "--namespace", "watch", "--api-versions", ADMISSION], &copy.0, &[])
    }

    /// As [`Self::template`], for a cluster before Kubernetes 1.30.
    pub(crate) fn template_for_old_cluster(&self, set: &[String]) -> Result<String, String> {
        self.on_chart(&["template", "netwhy", "--namespace", "watch"], &chart(), set)
    }

    /// The notes of an installation. `helm template` omits them, so a copy of the chart renders them as a document.
    pub(crate) fn notes(&self, set: &[String]) -> Result<String, String> {
        let copy = Copy::of(&chart());
        let notes = copy.0.join("templates/NOTES.txt");
        let text = fs::read_to_string(&notes).expect("the chart has notes");
        let indented: String = text.lines().map(|line| format!("  {line}\n")).collect();
        fs::write(copy.0.join("templates/notes.yaml"), format!("notes: |-\n{indented}"))
            .expect("the copy can be changed");
        let args = ["template", "netwhy", "--namespace", "watch", "--show-only", "templates/notes.yaml"];
        self.on_chart(&args, &copy.0, set)
    }

    fn on_chart(&self, args: &[&str], chart: &Path, set: &[String]) -> Result<String, String> {
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

/// A copy of the chart, removed on drop.
struct Copy(PathBuf);

impl Copy {
    fn of(chart: &Path) -> Self {
        static COPIES: AtomicU32 = AtomicU32::new(0);
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let copy = Self(env::temp_dir().join(format!("netwhy-chart-{}-{number}", std::process::id())));
        for name in ["Chart.yaml", "values.yaml", "values.schema.json", "templates/_helpers.tpl", "templates/NOTES.txt"]
        {
            let to = copy.0.join(name);
            fs::create_dir_all(to.parent().expect("a folder")).expect("the folder for temporary files can be written");
            fs::copy(chart.join(name), to).expect("the chart has this file");
        }
        copy
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
