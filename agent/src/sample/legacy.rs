//! Rows of recordings of format 1, which had names of their own.

use serde_json::{Map, Value, json};

/// Fields of an edge that format 1 kept in one list: the list's name, and theirs.
const EDGE_LISTS: [(&str, &[&str]); 4] = [
    ("flow", &["data_segs_out", "segs_out", "bytes_acked", "bytes_received"]),
    ("resets", &["resets_sent", "resets_received"]),
    ("jiffies", &["busy_jiffies", "rwnd_jiffies", "sndbuf_jiffies"]),
    ("stuck", &["full_size_timeouts", "unread_full"]),
];

/// Fields of an edge that were renamed.
const EDGE_NAMES: [(&str, &str); 3] =
    [("min_slots", "min_rtt_us"), ("episodes", "loss_episodes"), ("failures", "connect_failures")];

/// Turns a row of this family from format 1 into the current one. `None`: it is no such row.
pub(super) fn upgrade(family: &str, row: &mut Value) -> Option<()> {
    match family {
        "edges" | "overflow" => edge(row.as_object_mut()?),
        "cgroups" => cgroup(row.as_object_mut()?),
        "dns" => {
            let row = row.as_object_mut()?;
            let durations = histogram(row.remove("durations")?, row.remove("sum_us")?);
            row.insert("durations".to_owned(), durations);
            Some(())
        }
        "run_queue" => {
            let waits = row.as_object_mut()?;
            *row = histogram(waits.remove("buckets")?, waits.remove("sum_ns")?);
            Some(())
        }
        _ => Some(()),
    }
}

fn histogram(counts: Value, sum: Value) -> Value {
    json!({ "counts": counts, "sum": sum })
}

fn edge(row: &mut Map<String, Value>) -> Option<()> {
    let rtt = histogram(row.remove("rtt")?, row.remove("rtt_sum_us")?);
    row.insert("rtt".to_owned(), rtt);
    for (old, new) in EDGE_NAMES {
        let value = row.remove(old)?;
        row.insert(new.to_owned(), value);
    }
    for (list, fields) in EDGE_LISTS {
        // A list that the first recordings lack is zero.
        let Some(Value::Array(values)) = row.remove(list) else { continue };
        row.extend(fields.iter().map(|field| (*field).to_owned()).zip(values));
    }
    Some(())
}

fn cgroup(row: &mut Map<String, Value>) -> Option<()> {
    let (Value::Array(counts), Value::Array(sums)) = (row.remove("connects")?, row.remove("sum_us")?) else {
        return None;
    };
    let durations = counts.into_iter().zip(sums).map(|(counts, sum)| histogram(counts, sum)).collect();
    row.insert("durations".to_owned(), durations);
    Some(())
}

#[cfg(test)]
mod tests;
