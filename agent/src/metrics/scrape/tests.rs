use super::*;

#[test]
fn an_address_is_never_a_label_value() {
    for name in ["10.0.0.1", "10.0.0.1:443", "[fd00::1]:443", "fd00::1", "node-a→10.0.0.1", "10.0.0.0/8"] {
        assert_eq!(without_address(name), ADDRESS, "{name}");
    }
    for name in ["", "node-b", "shop/payment-7c9", "zone-a→zone-b", "ip-10-0-0-1.ec2.internal"] {
        assert_eq!(without_address(name), name);
    }
}
