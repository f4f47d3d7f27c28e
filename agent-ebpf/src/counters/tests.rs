use super::*;

#[test]
fn a_class_comes_back_from_its_index_and_any_other_number_is_external() {
    for class in PeerClass::ALL {
        assert_eq!(PeerClass::from_index(class as u32), class);
    }
    assert_eq!(PeerClass::from_index(99), PeerClass::External);
}
