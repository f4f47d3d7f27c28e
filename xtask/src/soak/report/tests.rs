use super::*;
use crate::soak::{charge::Charge, judge::judge};

/// A minute in which the unreclaimable slab grows by a MiB per second.
fn samples() -> Vec<Sample> {
    let sample = |i: u32| {
        let seconds = f64::from(i) * 2.0;
        let parts = vec![("anon", 30.0 * MIB), ("slab_unreclaimable", seconds * MIB)];
        Sample {
            seconds,
            resident: 40.0 * MIB,
            kernel: 6.0 * MIB,
            charge: Some(Charge { held: (50.0 + seconds) * MIB, parts }),
            descriptors: 120.0,
            series: f64::NAN,
            tick_p99: 0.004,
        }
    };
    (1..=30).map(sample).collect()
}

#[test]
fn a_row_tells_what_was_not_read() {
    let sample = Sample { charge: None, series: 900.0, ..samples()[0].clone() };
    assert_eq!(row(&sample), "| 2 | 40.0 | 6.0 | none | 120 | 900 | 4.0 |");
}

#[test]
fn the_tables_show_each_growth_beside_its_limit() {
    let judgement = judge(&samples(), 20.0, 0.0);
    let table = figures(&judgement);
    assert!(table.contains("| cgroup memory, MiB | 91.0 | +38.00 | +38.00 | +38.00 | 17.1 | LEAK |"), "{table}");
    assert!(table.contains("| descriptors | 120.0 | +0.00 | +0.00 | +0.00 | 10.0 | ok |"), "{table}");
    let table = parts(&judgement);
    let grown = table.find("| slab_unreclaimable | 41.0 | +38.00 | +38.00 |");
    assert!(grown.is_some() && grown < table.find("| anon | 30.0 | +0.00 | +0.00 |"), "{table}");
}

#[test]
fn the_json_has_the_parts_of_each_sample_and_their_growth() {
    let samples = samples();
    let json = json(&samples, &judge(&samples, 20.0, 0.0));
    assert_eq!(json["samples"].as_array().map(Vec::len), Some(30), "those of the warm-up too");
    assert_eq!(json["samples"][0]["cgroup_parts_bytes"]["slab_unreclaimable"], 2.0 * MIB);
    assert_eq!(json["samples"][0]["series"], Value::Null);
    let part = &json["cgroup_parts"][0];
    assert_eq!((&part["part"], &part["is_held"]), (&json!("slab_unreclaimable"), &json!(true)));
    let figures = json["figures"].as_array().unwrap();
    assert!(figures.iter().any(|f| f["figure"] == "cgroup memory" && f["is_leak"] == true), "{figures:?}");
}
