//! YAML text → [`Config`]. The parser visits every key, so that one run reports all mistakes.

use super::{
    Config, ConfigError, ConfigErrors, KEYS, SECTIONS,
    check::{self, Check},
    keys_of,
    lines::Lines,
    suggest::nearest,
    value::{describe, either},
    yaml::{self, Unreadable, Value},
};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Largest allowed file, bytes.
const MAX_BYTES: u64 = 1 << 20;

impl Config {
    /// Reads a file. Returns the configuration and the bytes of the file, to detect later changes.
    ///
    /// # Errors
    /// When the file can't be read, is larger than 1 MiB or is not UTF-8, and as [`Config::parse`].
    pub fn load(path: &Path) -> Result<(Self, Vec<u8>), ConfigErrors> {
        let origin = path.display().to_string();
        let bytes = read(path).map_err(|message| ConfigErrors::file(&origin, None, message))?;
        let text = std::str::from_utf8(&bytes).map_err(|e| {
            let line = 1 + bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count();
            ConfigErrors::file(&origin, Some(line), "not UTF-8 text: save the file as UTF-8")
        })?;
        let config = Self::parse(text, &origin)?;
        Ok((config, bytes))
    }

    /// Reads YAML text; `origin` names it in errors. Empty text gives the defaults.
    ///
    /// # Errors
    /// Text that is not one YAML mapping of known sections with known keys in their ranges. All mistakes are
    /// reported, except that text which is not YAML at all gives only the first.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ConfigErrors> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = Lines::of(text);
        if let Some(line) = lines.anchor() {
            let message = "anchors and aliases are not supported: write the value out in each place";
            return Err(ConfigErrors::file(origin, Some(line), message));
        }
        if let Some(line) = lines.tag() {
            let message = "tags are not supported: write the value without its \"!\"";
            return Err(ConfigErrors::file(origin, Some(line), message));
        }
        let document = yaml::read(text)
            .map_err(|Unreadable { line, message }| ConfigErrors::file(origin, within(text, line), message))?;
        let mut walk = Walk { lines, config: Self::default(), errors: Vec::new() };
        match &document {
            Value::Null => {}
            Value::Section(sections) => walk.document(sections),
            other => {
                let message =
                    format!("{} where sections should be: begin with one such as \"sampling:\"", describe(other));
                return Err(ConfigErrors::file(origin, None, message));
            }
        }
        walk.cross_checks();
        let Walk { config, mut errors, .. } = walk;
        if errors.is_empty() {
            return Ok(config);
        }
        errors.sort_by_key(|e| e.line.unwrap_or(usize::MAX));
        Err(ConfigErrors { origin: origin.to_owned(), errors })
    }
}

/// The bytes of a file, or a complete error message.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let explain = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound => "no such file: check the path given with --config".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied: make it readable for the agent's user".to_owned(),
        _ => format!("not readable: {e}"),
    };
    let meta = std::fs::metadata(path).map_err(explain)?;
    if meta.is_dir() {
        return Err("is a directory: name the file in it".to_owned());
    }
    let mut bytes = Vec::new();
    // The size from the metadata is not reliable: a device has none.
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(explain)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("larger than 1 MiB: this is not a configuration file of netwhy".to_owned());
    }
    Ok(bytes)
}

/// The parser finds some mistakes only after the last line.
fn within(text: &str, line: Option<usize>) -> Option<usize> {
    line.map(|line| line.min(text.lines().count().max(1)))
}

struct Walk<'a> {
    lines: Lines<'a>,
    config: Config,
    errors: Vec<ConfigError>,
}

impl Walk<'_> {
    fn document(&mut self, sections: &[(Value, Value)]) {
        for (name, body) in sections {
            let Some(section) = name.as_str().and_then(|n| SECTIONS.iter().find(|s| s.name == n)) else {
                self.unknown_section(name);
                continue;
            };
            match body {
                Value::Section(keys) => self.section(section.name, keys),
                // A section whose keys are all commented out.
                Value::Null => {}
                other => {
                    let line = self.lines.section(section.name);
                    let message = format!("{} is not a section: put its keys below it, indented", describe(other));
                    self.error(line, section.name, message);
                }
            }
        }
    }

    fn section(&mut self, section: &'static str, values: &[(Value, Value)]) {
        for (name, value) in values {
            let Some(key) = name.as_str().and_then(|n| keys_of(section).find(|k| k.name == n)) else {
                self.unknown_key(section, name);
                continue;
            };
            if value.is_null() && !key.kind.allows_null() {
                let line = self.lines.key(section, key.name);
                self.error(line, key.path, "has no value: give one or remove the line");
                continue;
            }
            let Err(faults) = (key.read)(&mut self.config, value, key) else { continue };
            for fault in faults {
                let (line, path) = match fault.element {
                    Some(i) => (self.lines.element(section, key.name, i), format!("{}[{i}]", key.path)),
                    None => (self.lines.key(section, key.name), key.path.to_owned()),
                };
                self.error(line, path, fault.message);
            }
        }
    }

    fn unknown_section(&mut self, name: &Value) {
        let path = name_of(name);
        let line = self.lines.section(&path);
        let names: Vec<_> = SECTIONS.iter().map(|s| s.name).collect();
        let message = if let Some(key) = KEYS.iter().find(|k| k.path == path || k.name == path) {
            format!("unknown section: write \"{}\" below \"{}:\", indented", key.name, key.section)
        } else if let Some(near) = nearest(&path, names.iter().copied()) {
            format!("unknown section: did you mean {near}?")
        } else {
            format!("unknown section: there are {}", either(&names).replace(" or ", " and "))
        };
        self.error(line, path, message);
    }

    fn unknown_key(&mut self, section: &str, name: &Value) {
        let name = name_of(name);
        let line = self.lines.key(section, &name);
        let message = if let Some(near) = nearest(&name, keys_of(section).map(|k| k.name)) {
            format!("unknown key: did you mean {near}?")
        } else if let Some(key) = KEYS.iter().find(|k| k.name == name) {
            format!("unknown key: did you mean {}?", key.path)
        } else {
            let names: Vec<_> = keys_of(section).map(|k| k.name).collect();
            format!("unknown key: {section} has {}", either(&names).replace(" or ", " and "))
        };
        self.error(line, format!("{section}.{name}"), message);
    }

    /// Rules between keys, for keys that are valid by themselves.
    fn cross_checks(&mut self) {
        for Check { keys, find } in check::CHECKS {
            let wrong = |key: &&str| self.errors.iter().any(|e| e.path.as_deref().is_some_and(|p| p.starts_with(*key)));
            if keys.iter().any(wrong) {
                continue;
            }
            if let Some((path, message)) = find(&self.config) {
                // A key that the file leaves to its default has no line: use the line of the other key.
                let candidates = [path].into_iter().chain(keys.iter().copied());
                let line = candidates.filter_map(|p| p.split_once('.')).find_map(|(s, k)| self.lines.key(s, k));
                self.error(line, path, message);
            }
        }
    }

    fn error(&mut self, line: Option<usize>, path: impl Into<String>, message: impl Into<String>) {
        self.errors.push(ConfigError { line, path: Some(path.into()), message: message.into() });
    }
}

/// A mapping's key as text.
fn name_of(name: &Value) -> String {
    name.as_str().map_or_else(|| describe(name), |text| text.chars().filter(|c| !c.is_control()).take(60).collect())
}
