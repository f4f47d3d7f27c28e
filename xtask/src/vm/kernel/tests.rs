use super::*;

#[test]
fn the_newest_of_a_series_is_chosen_by_number_and_for_the_cloud() {
    let names: Vec<String> = [
        "6.1.0-9-cloud-amd64",
        "6.1.0-56-cloud-amd64",
        "6.1.0-56-rt-amd64",
        "6.1.0-57-amd64",
        "6.1.0-58-cloud-amd64-dbg",
        "6.12.117+deb12-cloud-amd64",
        "6.12.90+deb12-cloud-amd64",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(newest(&names, "6.1").as_deref(), Some("6.1.0-56-cloud-amd64"));
    assert_eq!(newest(&names, "6.12").as_deref(), Some("6.12.117+deb12-cloud-amd64"));
    assert_eq!(newest(&names, "6.1.0-57-amd64").as_deref(), Some("6.1.0-57-amd64"));
    assert_eq!(newest(&names, "5.10"), None);
}

#[test]
fn a_module_tells_what_it_needs() {
    assert_eq!(dependencies(b"x\0license=GPL\0depends=stp,llc\0name=bridge\0"), ["stp", "llc"]);
    assert!(dependencies(b"x\0depends=\0").is_empty());
}
