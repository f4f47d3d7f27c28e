//! Finds the line of a key in YAML text, for error messages. The YAML parser keeps no positions, so this module
//! searches the text itself. It finds block mappings and most flow mappings. In doubt it returns no line rather than a
//! wrong one.

/// The text of a configuration file by lines.
pub(super) struct Lines<'a> {
    lines: Vec<&'a str>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { lines: text.lines().collect() }
    }

    /// Line (from 1) of a key at the top level.
    pub(super) fn section(&self, name: &str) -> Option<usize> {
        self.top_level(name).map(|i| i + 1)
    }

    /// Line (from 1) of a key within a section.
    pub(super) fn key(&self, section: &str, name: &str) -> Option<usize> {
        self.key_index(section, name).map(|i| i + 1)
    }

    /// Line (from 1) of an element of a list; the line of the key for a flow list.
    pub(super) fn element(&self, section: &str, name: &str, element: usize) -> Option<usize> {
        let start = self.key_index(section, name)?;
        let body = self.lines[start + 1..].iter().enumerate().take_while(|(_, line)| key_of(line).is_none());
        let mut dashes = body.filter(|(_, line)| line.trim_start().starts_with("- ")).map(|(i, _)| start + i + 2);
        dashes.nth(element).or(Some(start + 1))
    }

    /// Line (from 1) of the first anchor or alias (`&name`, `*name`).
    pub(super) fn anchor(&self) -> Option<usize> {
        self.lines.iter().position(|line| begins_value(line, &['&', '*'])).map(|i| i + 1)
    }

    /// Line (from 1) of the first tag (`!name`).
    pub(super) fn tag(&self) -> Option<usize> {
        self.lines.iter().position(|line| begins_value(line, &['!'])).map(|i| i + 1)
    }

    fn top_level(&self, name: &str) -> Option<usize> {
        self.lines.iter().position(|line| matches!(key_of(line), Some((0, key, _)) if key == name))
    }

    fn key_index(&self, section: &str, name: &str) -> Option<usize> {
        let start = self.top_level(section)?;
        let rest = &self.lines[start + 1..];
        let end = rest.iter().position(|line| matches!(key_of(line), Some((0, ..))));
        let body = &rest[..end.unwrap_or(rest.len())];
        if let Some(i) = body.iter().position(|line| matches!(key_of(line), Some((_, key, _)) if key == name)) {
            return Some(start + 1 + i);
        }
        let (_, _, value) = key_of(self.lines[start])?;
        let flow = value.trim_start().starts_with('{');
        (start..start + 1 + body.len()).find(|i| flow && names_key(self.lines[*i], name))
    }
}

/// Indentation, key and the rest of a line that begins with `key:`.
fn key_of(line: &str) -> Option<(usize, &str, &str)> {
    let content = line.trim_start_matches('\u{feff}').trim_start();
    let indent = line.len() - content.len();
    if content.starts_with(['#', '-', '{', '[']) {
        return None;
    }
    let colon = content.match_indices(':').map(|(i, _)| i).find(|i| {
        let next = content[i + 1..].chars().next();
        next.is_none_or(char::is_whitespace)
    })?;
    let key = content[..colon].trim_end().trim_matches(['"', '\'']);
    let indent = if line.starts_with('\u{feff}') { 0 } else { indent };
    Some((indent, key, &content[colon + 1..]))
}

/// True when `name:` stands in a flow mapping on this line.
fn names_key(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(i, _)| {
        let before = line[..i].chars().next_back();
        let after = line[i + name.len()..].trim_start_matches(['"', '\'']);
        before.is_none_or(|c| c.is_whitespace() || "{,\"'".contains(c)) && after.trim_start().starts_with(':')
    })
}

/// True when a value on this line begins with one of these, outside quotes and comments.
fn begins_value(line: &str, marks: &[char]) -> bool {
    let mut quote = None;
    // The last character that is not blank. A value begins at the start of the line or after one of these.
    let mut last = None;
    let mut blank = true;
    for c in line.chars() {
        match quote {
            Some(q) => {
                if c == q {
                    quote = None;
                }
            }
            None => match c {
                '#' if blank => return false,
                '"' | '\'' if blank || last.is_none_or(|l| "[{,".contains(l)) => quote = Some(c),
                c if marks.contains(&c) && last.is_none_or(|l| "[{,".contains(l) || blank && ":-?".contains(l)) => {
                    return true;
                }
                _ => {}
            },
        }
        blank = c.is_whitespace();
        if !blank {
            last = Some(c);
        }
    }
    false
}

#[cfg(test)]
mod tests;
