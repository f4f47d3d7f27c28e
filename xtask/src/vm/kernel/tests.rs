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
        "6.1.0-59-cloud-arm64",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(newest(&names, "6.1", Arch::Amd64).as_deref(), Some("6.1.0-56-cloud-amd64"));
    assert_eq!(newest(&names, "6.12", Arch::Amd64).as_deref(), Some("6.12.117+deb12-cloud-amd64"));
    assert_eq!(newest(&names, "6.1.0-57-amd64", Arch::Amd64).as_deref(), Some("6.1.0-57-amd64"));
    assert_eq!(newest(&names, "5.10", Arch::Amd64), None);
    assert_eq!(newest(&names, "6.1", Arch::Arm64).as_deref(), Some("6.1.0-59-cloud-arm64"));
    assert_eq!(newest(&names, NEWEST, Arch::Amd64).as_deref(), Some("6.12.117+deb12-cloud-amd64"));
}

#[test]
fn a_module_tells_what_it_needs() {
    assert_eq!(dependencies(b"x\0license=GPL\0depends=stp,llc\0name=bridge\0"), ["stp", "llc"]);
    assert!(dependencies(b"x\0depends=\0").is_empty());
}

/// What apt says about a kernel that comes in parts, as since Linux 7.0.
#[test]
fn the_packages_with_the_image_and_the_modules_of_a_kernel_are_found() {
    let name = "7.2.12+deb13-cloud-amd64";
    let depends = format!(
        "linux-image-{name}\n  PreDepends: linux-base\n |Depends: <dracut>\n  Depends: linux-base-{name}\n  \
         Depends: linux-binary-{name}\n  Depends: linux-modules-{name}\n  Breaks: <fwupdate>\n"
    );
    let all = ["linux-image-", "linux-binary-", "linux-modules-"].map(|part| format!("{part}{name}"));
    assert_eq!(packages(&depends, name), all);
    assert_eq!(
        packages("linux-image-6.1.0-57-amd64\n  Depends: kmod\n", "6.1.0-57-amd64"),
        ["linux-image-6.1.0-57-amd64"]
    );
}

#[test]
fn wanted_modules_are_loaded_after_those_that_they_need() {
    let root = std::env::temp_dir().join(format!("netwhy-modules-{}", std::process::id()));
    let dir = root.join("lib/modules/5.10.0/kernel/net");
    fs::create_dir_all(&dir).unwrap();
    // Counters of nftables' rules are a module before Linux 5.18.
    let files = [("nft_counter", "nf_tables"), ("nf_tables", "nfnetlink"), ("nfnetlink", ""), ("nft_unwanted", "")];
    for (name, needs) in files {
        fs::write(dir.join(format!("{name}.ko")), format!("\0depends={needs}\0")).unwrap();
    }
    let found: Vec<String> = modules(&root).unwrap().into_iter().map(|(name, _)| name).collect();
    fs::remove_dir_all(&root).unwrap();
    assert_eq!(found, ["nfnetlink", "nf_tables", "nft_counter"]);
}
