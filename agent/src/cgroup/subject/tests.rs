use super::*;

const ID: &str = "3f0c1d2e4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0";

#[test]
fn subjects_are_named_by_unit_container_pod_or_path() {
    let long_id = format!("Container/{ID}");
    let docker = format!("/docker/{ID}/x");
    let pod = "/kubepods/burstable/pod8b7ac1de-55aa-4c1f-9e2b-0123456789ab/x";
    let cases = [
        ("/", SubjectKind::Unit, "/", "root", "Unit/-.slice"),
        ("/root", SubjectKind::Unit, "/", "root", "Unit/root"),
        ("/system.slice", SubjectKind::Unit, "/", "system.slice", "Unit/system.slice"),
        ("/system.slice/a@b.service/x", SubjectKind::Unit, "system.slice", "a@b.service", "Unit/a@b.service"),
        ("/lab/nodes/pod-a", SubjectKind::Unit, "lab/nodes", "pod-a", "Unit/pod-a"),
        (docker.as_str(), SubjectKind::Container, "docker", "docker-3f0c1d2e4b5a", long_id.as_str()),
        (
            pod,
            SubjectKind::Pod,
            "kubepods",
            "pod-8b7ac1de-55aa-4c1f-9e2b-0123456789ab",
            "Pod/8b7ac1de-55aa-4c1f-9e2b-0123456789ab",
        ),
    ];
    for (path, kind, namespace, name, workload) in cases {
        let want = SubjectId { kind, namespace: namespace.into(), name: name.into(), workload: workload.into() };
        assert_eq!(standalone_subject(path), want, "{path}");
    }
}

#[test]
fn long_names_are_cut_without_merging() {
    let long = "é".repeat(125);
    let [a, b] = ["1.service", "2.service"].map(|end| standalone_subject(&format!("/deep/{long}{end}")));
    assert_ne!(a.workload, b.workload);
    assert_ne!(a.name, b.name);
    let deep = standalone_subject(&format!("/{0}/{0}/{0}/leaf", "x".repeat(200)));
    for text in [&a.name, &a.workload, &b.name, &deep.namespace] {
        assert!(text.len() <= MAX_LEN && text.contains('~'), "{text}");
    }
    assert_eq!(deep.name, "leaf");
    assert_eq!(a, standalone_subject(&format!("/deep/{long}1.service")));
    let exact = "y".repeat(MAX_LEN);
    assert_eq!(standalone_subject(&format!("/{exact}")).name, exact);
}
