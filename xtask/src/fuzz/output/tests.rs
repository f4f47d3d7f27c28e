use super::*;

const OUTPUT: &str = "\
INFO: Seed: 1
#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb
#4096\tpulse  cov: 205 ft: 912 corp: 31/120b lim: 74 exec/s: 2048 rss: 40Mb
#5000\tNEW    cov: 206 ft: 913 corp: 32/121b lim: 74 exec/s: 2048 rss: 40Mb L: 3/3 MS: 1 CopyPart-
";

fn read(text: &str) -> Stats {
    let mut stats = Stats::default();
    text.lines().for_each(|line| stats.read(line));
    stats
}

#[test]
fn the_newest_figures_count() {
    let stats = read(OUTPUT);
    assert_eq!((stats.executions, stats.edges, stats.corpus), (5000, 206, 32));
    let ended = read(&format!("{OUTPUT}Done 6001 runs in 3 second(s)\nstat::number_of_executed_units: 6001\n"));
    assert_eq!((ended.executions, ended.crashes.len()), (6001, 0));
}

#[test]
fn a_crash_is_told_with_its_file() {
    let text = format!("{OUTPUT}artifact_prefix='/c/'; Test unit written to /c/crash-1\n");
    assert_eq!(read(&text).crashes, ["/c/crash-1"]);
    let table = table(&[("one".to_owned(), read(&text)), ("two".to_owned(), read(OUTPUT))]);
    assert!(table.contains("| one | 0.0 | 5000 | 5000000 | 206 | 32 | 1 |"), "{table}");
    assert!(table.contains("| all | 0.0 | 10000 | 10000000 | 412 | 64 | 1 |"), "{table}");
}
