use super::*;

#[test]
fn malformed_type_information_is_an_error_not_a_panic() {
    assert!(KernelTypes::parse(Vec::new()).is_err());
    assert!(KernelTypes::parse(vec![1; 64]).is_err());
    let mut short = 0xeb9fu16.to_ne_bytes().to_vec();
    short.extend([1, 0]);
    for word in [24u32, 0, 4096, 4096, 16] {
        short.extend(word.to_ne_bytes());
    }
    assert_eq!(KernelTypes::parse(short).err(), Some("it ends early"));
}

#[test]
fn a_record_that_ends_outside_is_refused() {
    let blob = |members: u32| {
        let mut blob = 0xeb9fu16.to_ne_bytes().to_vec();
        blob.extend([1, 0]);
        // Header, offset and length of the types, offset and length of the strings; an enum with one member's room.
        let enumeration = [1, 6 << 24 | members, 4, 1, 0];
        for word in [24, 0, 20, 20, 3].into_iter().chain(enumeration) {
            blob.extend(word.to_ne_bytes());
        }
        blob.extend(b"\0a\0");
        blob
    };
    let types = KernelTypes::parse(blob(1)).unwrap();
    assert_eq!(types.enum_values("a"), [("a".to_owned(), 0)]);
    assert_eq!(KernelTypes::parse(blob(2)).err(), Some("a record ends outside"));
    assert_eq!(KernelTypes::parse(blob(60_000)).err(), Some("a record ends outside"));
}

#[test]
fn running_kernel_has_the_members_that_every_supported_kernel_has() {
    let types = match KernelTypes::read(Path::new("/sys")) {
        Ok(types) => types,
        Err(error) => {
            eprintln!("SKIP running_kernel_has_the_members: machine: {error}");
            return;
        }
    };
    for path in ["tcp_sock.srtt_us", "tcp_sock.rack.rtt_us", "sock.__sk_common.skc_daddr", "cgroup.kn"] {
        assert!(types.offset(path).is_some(), "{path}");
    }
    assert_eq!(types.offset("tcp_sock.no_such_member"), None);
    assert_eq!(types.offset("sock.__sk_common.skc_daddr").map(|m| m.byte()), Some(0));
    assert_eq!(types.tracepoint_args("tcp_probe"), Some(2));
    assert_eq!(types.tracepoint_args("no_such_tracepoint"), None);
}
