//! Paths as kubelets, container engines and systemd make them.

use super::*;

const A: &str = "3f0c1d2e4b5a69788796a5b4c3d2e1f00112233445566778899aabbccddeeff0";
const B: &str = "b2d4f60718293a4b5c6d7e8f9001122334455667788990aabbccddeeff001122";
const UID: &str = "8b7ac1de-55aa-4c1f-9e2b-0123456789ab";
const UID_: &str = "8b7ac1de_55aa_4c1f_9e2b_0123456789ab";
const STATIC: &str = "d4f1a0b2c3e4958677687980a1b2c3d4";

/// Fills `{A}` and the like in a path.
fn path(template: &str) -> String {
    [("{A}", A), ("{B}", B), ("{UID}", UID), ("{UID_}", UID_), ("{STATIC}", STATIC)]
        .iter()
        .fold(template.to_owned(), |p, (key, value)| p.replace(key, value))
}

/// (path, uid, QoS class, (runtime, container ID))
type PodCase = (&'static str, &'static str, Option<&'static str>, Option<(&'static str, &'static str)>);

const PODS: &[PodCase] = &[
    // cgroupfs driver
    ("/kubepods/burstable/pod{UID}/{A}", UID, Some("burstable"), Some(("container", A))),
    ("/kubepods/besteffort/pod{UID}/{A}", UID, Some("besteffort"), Some(("container", A))),
    ("/kubepods/pod{UID}/{A}", UID, Some("guaranteed"), Some(("container", A))),
    ("/kubepods/burstable/pod{UID}", UID, Some("burstable"), None),
    ("/kubepods/burstable/pod{STATIC}/{A}", STATIC, Some("burstable"), Some(("container", A))),
    ("/kubepods/besteffort/pod{UID}/crio-{A}", UID, Some("besteffort"), Some(("cri-o", A))),
    ("/kubepods/besteffort/pod{UID}/crio-conmon-{A}", UID, Some("besteffort"), None),
    ("/kubepods/pod-manifest/pod{UID}/{A}", UID, None, Some(("container", A))),
    ("/kubepods/burstable/podcustom.uid-1/{A}", "custom.uid-1", Some("burstable"), Some(("container", A))),
    // Without QoS cgroups
    ("/pod{UID}/{A}", UID, None, Some(("container", A))),
    // systemd driver
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice/cri-containerd-{A}.scope",
        UID,
        Some("burstable"),
        Some(("containerd", A)),
    ),
    (
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID_}.slice/docker-{A}.scope",
        UID,
        Some("besteffort"),
        Some(("docker", A)),
    ),
    ("/kubepods.slice/kubepods-pod{UID_}.slice/crio-{A}.scope", UID, Some("guaranteed"), Some(("cri-o", A))),
    ("/kubepods.slice/kubepods-pod{UID_}.slice/crio-{A}.scope/container", UID, Some("guaranteed"), Some(("cri-o", A))),
    ("/kubepods.slice/kubepods-pod{UID_}.slice/crio-conmon-{A}.scope", UID, Some("guaranteed"), None),
    ("/kubepods.slice/kubepods-pod{UID_}.slice", UID, Some("guaranteed"), None),
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/cri-containerd-{A}.scope",
        STATIC,
        Some("burstable"),
        Some(("containerd", A)),
    ),
    // systemd inside a container of a Pod
    (
        "/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{A}.scope/system.slice/nginx.service",
        UID,
        Some("guaranteed"),
        Some(("containerd", A)),
    ),
    // docker in a Pod
    ("/kubepods/burstable/pod{UID}/{A}/docker/{B}", UID, Some("burstable"), Some(("container", A))),
    // kubelet with the systemd driver over containerd with cgroupfs
    (
        "/system.slice/containerd.service/kubepods-burstable-pod{UID_}.slice:cri-containerd:{A}",
        UID,
        Some("burstable"),
        Some(("containerd", A)),
    ),
    // Nodes that are containers
    ("/docker/{B}/kubelet/kubepods/besteffort/pod{UID}/{A}", UID, Some("besteffort"), Some(("container", A))),
    (
        "/system.slice/docker-{B}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/\
         kubelet-kubepods-besteffort-pod{UID_}.slice/cri-containerd-{A}.scope",
        UID,
        Some("besteffort"),
        Some(("containerd", A)),
    ),
    (
        "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UID_}.slice/cri-containerd-{A}.scope",
        UID,
        Some("guaranteed"),
        Some(("containerd", A)),
    ),
];

#[test]
fn pods_are_known_under_every_driver_and_runtime() {
    for (template, uid, qos, container) in PODS {
        let container = container.map(|(runtime, id)| Container { runtime, id: id.to_owned() });
        let want = Owner::Pod { uid: (*uid).to_owned(), qos: *qos, container };
        assert_eq!(owner(&path(template)), want, "{template}");
    }
}

#[test]
fn containers_outside_kubernetes_are_known_with_their_descendants() {
    let cases = [
        ("/docker/{A}", "docker", "/docker/{A}"),
        ("/docker/{A}/init", "docker", "/docker/{A}"),
        ("/docker/{A}/docker/{B}", "docker", "/docker/{A}"),
        ("/docker/{A}/kubelet.slice/kubelet.service", "docker", "/docker/{A}"),
        ("/docker/{A}/system.slice/containerd.service", "docker", "/docker/{A}"),
        ("/system.slice/docker-{A}.scope", "docker", "/system.slice/docker-{A}.scope"),
        ("/machine.slice/libpod-{A}.scope/container", "podman", "/machine.slice/libpod-{A}.scope"),
        ("/libpod_parent/libpod-{A}", "podman", "/libpod_parent/libpod-{A}"),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope",
            "podman",
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope",
        ),
        ("/system.slice/nerdctl-{A}.scope", "containerd", "/system.slice/nerdctl-{A}.scope"),
        ("/default/{A}", "containerd", "/default/{A}"),
        ("/lab/{A}/x", "container", "/lab/{A}"),
    ];
    for (template, runtime, own) in cases {
        let path_ = path(template);
        assert_eq!(owner(&path_), Owner::Container(Container { runtime, id: A.to_owned() }), "{template}");
        assert_eq!(owner_path(&path_), path(own), "{template}");
    }
}

#[test]
fn everything_else_is_a_unit_or_its_owner_path() {
    let cases = [
        ("/", "/"),
        ("", "/"),
        ("/system.slice", "/system.slice"),
        ("/system.slice/nginx.service", "/system.slice/nginx.service"),
        ("/system.slice/nginx.service/workers/3", "/system.slice/nginx.service"),
        ("/system.slice/system-getty.slice/getty@tty1.service", "/system.slice/system-getty.slice/getty@tty1.service"),
        ("/system.slice/dev-disk-by\\x2duuid-1.swap", "/system.slice/dev-disk-by\\x2duuid-1.swap"),
        ("/system.slice/batch", "/system.slice/batch"),
        ("/system.slice/containerd.service", "/system.slice/containerd.service"),
        ("/init.scope", "/init.scope"),
        ("/user.slice/user-1000.slice/session-3.scope", "/user.slice/user-1000.slice/session-3.scope"),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/x.service/inner",
            "/user.slice/user-1000.slice/user@1000.service/app.slice/x.service",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice",
            "/user.slice/user-1000.slice/user@1000.service/app.slice",
        ),
        ("/machine.slice/libpod-conmon-{A}.scope", "/machine.slice/libpod-conmon-{A}.scope"),
        ("/kubepods", "/kubepods"),
        ("/kubepods/burstable", "/kubepods/burstable"),
        ("/kubepods.slice/kubepods-burstable.slice", "/kubepods.slice/kubepods-burstable.slice"),
        ("/podman", "/podman"),
        ("/pods/payment", "/pods/payment"),
        ("/lab/pod-a/inner", "/lab/pod-a/inner"),
        ("/docker/buildkit", "/docker/buildkit"),
        ("/docker/ABCDEF", "/docker/ABCDEF"),
        ("/.service/x", "/.service/x"),
        ("/größe/ü.service/x", "/größe/ü.service"),
    ];
    for (template, own) in cases {
        let own = path(own);
        assert_eq!(owner(&path(template)), Owner::Unit { path: own.clone() }, "{template}");
    }
}

#[test]
fn owner_path_of_everything_in_a_pod_is_the_pods_cgroup() {
    let pod = path("/kubepods.slice/kubepods-pod{UID_}.slice");
    for inner in ["", "/crio-{A}.scope", "/crio-conmon-{A}.scope", "/cri-containerd-{A}.scope/a/b"] {
        assert_eq!(owner_path(&path(&format!("{pod}{inner}"))), pod, "{inner}");
    }
}
