//! Generated files.

use crate::config::{Config, KEYS, docs};
use std::path::Path;

#[test]
fn the_example_equals_the_defaults_and_names_every_key() {
    let text = docs::example_yaml();
    assert_eq!(Config::parse(&text, "example").unwrap(), Config::default());
    let value: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    for key in KEYS {
        assert!(value[key.section].get(key.name).is_some(), "{} is not in the example", key.path);
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 110, "{line}");
    }
}

#[test]
fn the_page_names_every_flag_variable_key_and_exit_code() {
    let page = docs::configuration_md();
    for word in [
        "| `--kube auto\\|on\\|off` | `NETWHY_KUBE` | auto |",
        "| `--node-name NAME` | `NODE_NAME` | the host name |",
        "| `--kubeconfig FILE` | `KUBECONFIG` |",
        "| `--listen ADDR` | `NETWHY_LISTEN` | 0.0.0.0:9810 |",
        "| `--probe-listen ADDR` | `NETWHY_PROBE_LISTEN` | port 9811 of the address of --listen |",
        "| `--config FILE` | `NETWHY_CONFIG` |",
        "| `--cgroup-root DIR` | `NETWHY_CGROUP_ROOT` |",
        "| `--procfs DIR` |  | /proc |",
        "| `--sysfs DIR` |  | /sys |",
        "| `--log-format text\\|json` |",
        "| `--log-level off\\|error\\|warn\\|info\\|debug\\|trace` |  | info |",
        "| `netwhy-agent run` |",
        "| `netwhy-agent preflight [-o, --output table\\|json]` |",
        "| `netwhy-agent record FILE [--seconds N]` |",
        "| `netwhy-agent replay FILE [-o, --output table\\|json\\|metrics]` |",
        "| `netwhy-agent config check FILE` |",
        "| `netwhy-agent config example` |",
        "| `netwhy-agent completion SHELL` |",
        "| 69 |",
    ] {
        assert!(page.contains(word), "{word} is missing");
    }
    for key in KEYS {
        assert!(page.contains(&format!("| `{}` |", key.name)), "{} is missing", key.path);
    }
}

#[test]
fn committed_files_are_the_generated_ones() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (path, text) in docs::files() {
        let committed = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(committed == text, "{path} is not current: run `cargo xtask docs`");
    }
}
