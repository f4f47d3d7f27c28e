use super::*;

#[test]
fn the_object_is_a_program_for_the_kernel_of_which_this_program_carries_less_than_half() {
    const EM_BPF: u16 = 247;
    let object = object().unwrap();
    assert!(object.starts_with(b"\x7fELF"));
    assert_eq!(u16::from_le_bytes([object[18], object[19]]), EM_BPF);
    assert!(OBJECT.len() < object.len() / 2, "{} of {} bytes", OBJECT.len(), object.len());
    assert_eq!(object.as_ptr().align_offset(8), 0);
}
