use super::*;
use std::path::Path;

#[test]
fn without_atomic_exchange_programs_keep_nothing_of_sockets() {
    let types = match KernelTypes::read(Path::new("/sys")) {
        Ok(types) => types,
        Err(error) => {
            eprintln!("SKIP without_atomic_exchange_programs_keep_nothing_of_sockets: machine: {error}");
            return;
        }
    };
    let of = |release, has_exchange| resolve(&types, release, has_exchange).unwrap();
    for (constants, has_storage) in [(of((6, 1), true), true), (of((6, 1), false), false), (of((5, 10), true), false)] {
        assert_eq!(constants.has_storage, has_storage);
        assert!(constants.values.contains(&("NW_HAS_STORAGE", u32::from(has_storage))));
        let is_lacking = constants.lacks.iter().any(|data| data.starts_with("counters of living sockets"));
        assert_eq!(is_lacking, !has_storage, "{:?}", constants.lacks);
        assert!(has_storage || !(constants.can_time_responses || constants.can_sample_sockets));
    }
    assert!(!of((6, 1), false).has_exchange);
}
