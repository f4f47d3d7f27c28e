use super::*;

#[test]
fn fields_do_not_run_into_each_other() {
    assert_ne!(Fnv::new().field(b"ab").field(b"c").finish(), Fnv::new().field(b"a").field(b"bc").finish());
}
