//! Candidates for the last word, from the words before it.

use clap::{Arg, ArgAction, Command, ValueHint};

/// A request for candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Beginning of every candidate.
    pub(super) prefix: String,
    /// Their kind.
    pub(super) wanted: Wanted,
    /// Global flags among the words, with their values.
    pub(super) flags: Vec<String>,
}

/// Kinds of candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The shell completes files.
    Files,
    /// Any text.
    Nothing,
    /// These, each with a description.
    Fixed(Vec<(String, String)>),
    /// Names of one kind.
    Named(Names),
    /// A target of these kinds; the first one's names may stand alone.
    Target(Vec<&'static str>),
    /// Containers of this target, as it was typed.
    Containers(String),
}

/// Kinds of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Namespaces,
    Contexts,
    Clusters,
    Users,
}

/// Reads the words; the last one is to be completed. `command` was built: its subcommands have the global flags.
pub(super) fn asked(command: &Command, words: &[String]) -> Asked {
    let Some((last, before)) = words.split_last() else {
        return Asked { prefix: String::new(), wanted: Wanted::Nothing, flags: Vec::new() };
    };
    let mut current = command;
    let mut positionals: Vec<&str> = Vec::new();
    let mut flags = Vec::new();
    let mut open: Option<&Arg> = None;
    for word in before {
        if let Some(flag) = open.take() {
            keep(&mut flags, flag, word);
        } else if word.starts_with('-') && word.len() > 1 {
            let Some((flag, is_complete)) = flag(current, word) else { continue };
            keep(&mut flags, flag, word);
            open = (!is_complete).then_some(flag);
        } else if let Some(found) = current.find_subcommand(word) {
            current = found;
        } else {
            positionals.push(word);
        }
    }
    if let Some(flag) = open {
        if flag.is_global_set() {
            // The line can't be read with a flag that lacks its value.
            flags.pop();
        }
        return Asked { prefix: last.clone(), wanted: values(current, flag, positionals.first()), flags };
    }
    let asked = |prefix: &str, wanted| Asked { prefix: prefix.to_owned(), wanted, flags: flags.clone() };
    if let Some((name, value)) = last.split_once('=').filter(|_| last.starts_with("--")) {
        // The shell adds the flag itself.
        let wanted =
            flag(current, name).map_or(Wanted::Nothing, |(flag, _)| values(current, flag, positionals.first()));
        return asked(value, wanted);
    }
    if last.starts_with('-') {
        return asked(last, Wanted::Fixed(long_flags(current)));
    }
    if current.has_subcommands() {
        let visible = current.get_subcommands().filter(|sub| !sub.is_hide_set());
        let about = |sub: &Command| sub.get_about().map(ToString::to_string).unwrap_or_default();
        return asked(last, Wanted::Fixed(visible.map(|sub| (sub.get_name().to_owned(), about(sub))).collect()));
    }
    let positional = current.get_positionals().nth(positionals.len());
    asked(last, positional.map_or(Wanted::Nothing, |positional| values(current, positional, positionals.first())))
}

/// The flag of a word, and whether the word has all of it.
fn flag<'a>(command: &'a Command, word: &str) -> Option<(&'a Arg, bool)> {
    let takes_value = |arg: &Arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let is_open = |arg: &Arg, has_value: bool| takes_value(arg) && !has_value && !arg.is_require_equals_set();
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let found = command.get_arguments().find(|arg| arg.get_long() == Some(name))?;
        return Some((found, !is_open(found, value.is_some())));
    }
    // Of several short ones only the last can have a value.
    let mut letters = word.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        let found = command.get_arguments().find(|arg| arg.get_short() == Some(letter))?;
        if takes_value(found) || letters.peek().is_none() {
            return Some((found, !is_open(found, word.len() > at + letter.len_utf8())));
        }
    }
    None
}

/// Only global flags: those of one command say nothing about the cluster.
fn keep(flags: &mut Vec<String>, flag: &Arg, word: &str) {
    if flag.is_global_set() {
        flags.push(word.to_owned());
    }
}

fn long_flags(command: &Command) -> Vec<(String, String)> {
    let visible = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let named = visible.filter_map(|arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        Some((format!("--{}", arg.get_long()?), help))
    });
    named.collect()
}

/// `target`: the first word that is no flag.
fn values(command: &Command, arg: &Arg, target: Option<&&str>) -> Wanted {
    match (arg.get_id().as_str(), command.get_name()) {
        ("namespace" | "agent_namespace", _) => Wanted::Named(Names::Namespaces),
        ("context" | "contexts", _) => Wanted::Named(Names::Contexts),
        ("cluster", _) => Wanted::Named(Names::Clusters),
        ("user", _) => Wanted::Named(Names::Users),
        ("container", _) => target.map_or(Wanted::Nothing, |target| Wanted::Containers((*target).to_owned())),
        ("target", "topology") => Wanted::Target(vec!["svc"]),
        ("target", "watch-closer" | "shell") => Wanted::Target(vec!["pod"]),
        ("target", _) => Wanted::Target(vec!["pod", "deploy", "sts", "ds", "job", "svc", "node"]),
        _ if matches!(arg.get_value_hint(), ValueHint::FilePath | ValueHint::AnyPath) => Wanted::Files,
        _ => {
            let possible = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
            let fixed: Vec<(String, String)> = possible
                .map(|value| {
                    let help = value.get_help().map(ToString::to_string).unwrap_or_default();
                    (value.get_name().to_owned(), help)
                })
                .collect();
            if fixed.is_empty() { Wanted::Nothing } else { Wanted::Fixed(fixed) }
        }
    }
}

#[cfg(test)]
mod tests;
