//! The effect of a configuration: its differences from the defaults, and the keys that need a restart.

use super::{Change, Config, KEYS};

/// A signal that is switched off.
const OFF: &str = "off";

/// Effect of a changed configuration on a running agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Reloaded {
    /// The changed configuration, with the old values where a change needs a restart.
    pub config: Config,
    /// Keys with such changes.
    pub restart: Vec<&'static str>,
}

/// The effect of another configuration on an agent that `started` with one.
pub fn reload(started: &Config, new: &Config) -> Reloaded {
    let mut config = new.clone();
    let mut restart = Vec::new();
    for key in KEYS.iter().filter(|key| key.value(started) != key.value(new)) {
        let needs_restart = match key.change {
            Change::Live => false,
            Change::Restart => true,
            Change::Signal => key.value(started) == OFF,
        };
        if needs_restart {
            (key.copy)(&mut config, started);
            restart.push(key.path);
        }
    }
    Reloaded { config, restart }
}

/// The output of `config check` for a valid file.
pub fn explain(config: &Config, origin: &str) -> String {
    let defaults = Config::default();
    let set: Vec<_> = KEYS.iter().filter(|key| key.value(config) != key.value(&defaults)).collect();
    let mut out = format!("{origin}: ok\n");
    if set.is_empty() {
        out.push_str("all settings have their defaults\n");
    } else {
        out.push_str(&format!("{} of {} settings differ from their defaults:\n", set.len(), KEYS.len()));
        let width = set.iter().map(|key| key.path.len()).max().unwrap_or(0);
        for key in &set {
            let unit = if key.unit.is_empty() { String::new() } else { format!(" {}", key.unit) };
            let restart = match key.change {
                Change::Live => "",
                Change::Restart => "; a change needs a restart",
                Change::Signal if key.value(config) == OFF => "; turning it on needs a restart",
                Change::Signal => "",
            };
            let (value, default) = (key.value(config), key.value(&defaults));
            out.push_str(&format!("  {:width$}  {value}{unit} (default {default}{restart})\n", key.path));
        }
    }
    out.push_str(&format!(
        "a running agent reloads changes of {}; any other change needs a restart\n",
        live_keys().join(", ")
    ));
    out
}

/// Sections (`labels.*`) and keys that a running agent reloads.
pub(super) fn live_keys() -> Vec<String> {
    super::SECTIONS
        .iter()
        .flat_map(|section| {
            let live: Vec<_> = super::keys_of(section.name).filter(|key| key.change != Change::Restart).collect();
            if live.len() == super::keys_of(section.name).count() {
                vec![format!("{}.*", section.name)]
            } else {
                live.into_iter().map(|key| key.path.to_owned()).collect()
            }
        })
        .collect()
}
