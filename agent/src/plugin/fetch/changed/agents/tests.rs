use super::*;
use crate::plugin::model::differs::tests::row;

#[test]
fn the_boot_follows_from_the_uptime() {
    let uptime = |text: &str| [row("mtu", None, "1500", None), row("uptime", None, text, Some("seconds"))];
    assert_eq!(booted(&uptime("90"), 1_000_000), Some(910_000));
    for unknown in ["", "soon", "-3", "NaN"] {
        assert_eq!(booted(&uptime(unknown), 1_000_000), None, "{unknown}");
    }
    assert_eq!(booted(&[], 1_000_000), None);
}
