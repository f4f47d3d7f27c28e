//! The targets over their corpora.

use super::*;
use std::{
    collections::BTreeSet,
    fs, panic,
    path::{Path, PathBuf},
};

/// Changed inputs of each target.
const CHANGED: usize = 500;
/// Longest changed input, bytes.
const MAX_LENGTH: usize = 16 << 10;
/// Numbers that break arithmetic.
const EXTREMES: [&str; 8] =
    ["0", "-1", "18446744073709551615", "18446744073709551616", "9223372036854775807", "4294967295", "1e308", "1e-320"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(name)
}

/// Names in a folder, without their extension.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Runs a target over every file of its corpus, and over changed ones. Returns the number of files.
fn run(name: &str, target: Target) -> usize {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder("corpus").join(name)).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let inputs: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    for (file, input) in files.iter().zip(&inputs) {
        // Shown when the target panics.
        println!("{}", file.display());
        target(input);
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..CHANGED {
        let changed = random.change(&inputs);
        let shown = String::from_utf8_lossy(&changed).into_owned();
        if panic::catch_unwind(|| target(&changed)).is_err() {
            let file = std::env::temp_dir().join(format!("netwhy-crash-{name}"));
            fs::write(&file, &changed).unwrap();
            panic!("keep {} in fuzz/corpus/{name}: {shown:?}", file.display());
        }
    }
    files.len()
}

/// Xorshift: the same inputs in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        for (left, by) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left { self.0 << by } else { self.0 >> by };
        }
        (self.0 % limit.max(1) as u64) as usize
    }

    /// One of the inputs with a few changes.
    fn change(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(4) {
            let (at, to) = (self.below(bytes.len() + 1), self.below(bytes.len() + 1));
            let range = at.min(to)..at.max(to);
            match self.below(6) {
                0 => drop(bytes.drain(range.start..range.end.min(range.start + 16))),
                1 => {
                    let copy = bytes[range].to_vec();
                    bytes.splice(at..at, copy);
                }
                2 => {
                    let other = &inputs[self.below(inputs.len())];
                    let from = self.below(other.len() + 1);
                    bytes.splice(at.., other[from..].iter().copied());
                }
                3 => {
                    let number = EXTREMES[self.below(EXTREMES.len())].as_bytes();
                    let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    bytes.splice(at..at + digits, number.iter().copied());
                }
                4 => bytes[at..].iter_mut().take(1).for_each(|byte| *byte = self.below(256) as u8),
                _ => bytes[at..].iter_mut().take(1).for_each(|byte| *byte ^= 1 << self.below(8)),
            }
        }
        bytes.truncate(MAX_LENGTH);
        bytes
    }
}

macro_rules! corpus {
    ($($name:ident),+) => {
        $(#[test]
        fn $name() {
            let (_, target) = TARGETS.iter().find(|(name, _)| *name == stringify!($name)).unwrap();
            assert!(run(stringify!($name), *target) > 0, "the corpus is empty");
        })+

        #[test]
        fn every_target_has_a_program_and_a_corpus_and_is_tested() {
            let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(names(&folder("fuzz_targets")), known);
            assert_eq!(names(&folder("corpus")), known);
            assert_eq!([$(stringify!($name).to_owned()),+].into_iter().collect::<BTreeSet<_>>(), known);
        }
    };
}

corpus!(
    answers,
    btf,
    cgroup_files,
    cgroup_path,
    config,
    conntrack,
    dns_answers,
    http2_segments,
    http_heads,
    mountinfo,
    netlink,
    procfs,
    recording,
    webhook
);
