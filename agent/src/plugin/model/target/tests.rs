use super::*;

#[test]
fn kinds_have_the_names_of_kubectl() {
    for (text, kind) in [("po/x", Kind::Pod), ("Deployments/x", Kind::Deployment), ("svc/x", Kind::Service)] {
        assert_eq!(text.parse::<Target>().unwrap(), Target { kind: Some(kind), name: "x".to_owned() });
    }
    assert_eq!("x.y".parse::<Target>().unwrap().kind, None);
    for bad in ["", "pod/", "secret/x", "pod/x/y", "a b", "x&y", "ä"] {
        assert!(bad.parse::<Target>().is_err(), "{bad}");
    }
}
