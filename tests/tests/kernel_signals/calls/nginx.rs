//! nginx, asked by curl and wrk.

use super::scene::Scene;
use crate::{
    program::Scratch,
    stage::{needs, stage, wait_until},
};
use netwhy_abi::Role;
use netwhy_tests::lab::{Pod, Program};
use std::{
    ffi::OsString,
    fs::{self, File},
    time::Duration,
};

const PORT: u16 = 8080;
const TLS_PORT: u16 = 8443;
/// For programs to start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running nginx in a Pod.
pub(super) struct Nginx {
    pub(super) scratch: Scratch,
    _program: Program,
}

impl Nginx {
    /// Starts it; `scene` has its Pod. `None`: it is not installed.
    pub(super) fn start(scene: &Scene<'_>, name: &str) -> Self {
        let scratch = Scratch::new(name);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["server".to_owned()]).unwrap().self_signed(&key).unwrap();
        fs::write(scratch.file("certificate.pem"), certificate.pem()).unwrap();
        fs::write(scratch.file("key.pem"), key.serialize_pem()).unwrap();
        File::create(scratch.file("big")).unwrap().set_len(100 << 20).unwrap();
        let dir = scratch.file("");
        let dir = dir.to_str().unwrap();
        let text = format!(
            "daemon off; master_process off; error_log {dir}error.log; pid {dir}pid;
             events {{ worker_connections 256; }}
             http {{
               access_log off; sendfile on; keepalive_requests 1000000; client_max_body_size 100m;
               client_body_temp_path {dir}body; proxy_temp_path {dir}proxy; fastcgi_temp_path {dir}fastcgi;
               uwsgi_temp_path {dir}uwsgi; scgi_temp_path {dir}scgi;
               server {{
                 listen {PORT}; listen {TLS_PORT} ssl;
                 ssl_certificate {dir}certificate.pem; ssl_certificate_key {dir}key.pem;
                 location / {{ return 200 ok; }}
                 location /orders {{ return 201 made; }}
                 location /missing {{ return 404; }}
                 location /broken {{ return 503; }}
                 location /files/ {{ alias {dir}; }}
               }}
             }}"
        );
        fs::write(scratch.file("nginx.conf"), text).unwrap();
        let conf = scratch.file("nginx.conf");
        let program = start(scene, &scene.server, &["nginx", "-e", "stderr", "-c", conf.to_str().unwrap()]);
        let nginx = Self { scratch, _program: program };
        wait_until("nginx listens", || curl_once(scene, &scene.server, &[&url(scene, "/")]));
        nginx
    }
}

pub(super) fn start(scene: &Scene<'_>, pod: &Pod, line: &[&str]) -> Program {
    let line: Vec<OsString> = line.iter().map(OsString::from).collect();
    let netns = &scene.stage.node(&pod.node).netns;
    scene.stage.lab.start_command(Some(netns), Some(pod), &line).unwrap()
}

/// An address of nginx.
pub(super) fn url(scene: &Scene<'_>, path: &str) -> String {
    format!("http://{}:{PORT}{path}", scene.stage.node(&scene.server.node).ipv4)
}

fn curl_once(scene: &Scene<'_>, pod: &Pod, args: &[&str]) -> bool {
    let line = [&["curl", "-s", "-S", "-k", "-o", "/dev/null"], args].concat();
    start(scene, pod, &line).wait(PATIENCE).unwrap().success()
}

/// Runs curl in the client's Pod.
#[track_caller]
pub(super) fn curl(scene: &Scene<'_>, args: &[&str]) {
    assert!(curl_once(scene, &scene.client, args), "curl {args:?}");
}

/// nginx whose port the client's agent knows to speak HTTP.
fn known<'s>(scene: &mut Scene<'s>, name: &str) -> Nginx {
    let nginx = Nginx::start(scene, name);
    let again = url(scene, "/known");
    curl(scene, &[&again, &again, &again]);
    wait_until("the port is known", || {
        scene.read();
        !scene.calls(Role::Client).is_empty()
    });
    scene.settle();
    nginx
}

#[test]
fn every_request_of_curl_is_seen_at_both_ends() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let nginx = known(&mut scene, "every_request");
    let body = format!("@{}", nginx.scratch.file("key.pem").display());
    let to = |path: &str| url(&scene, path);
    curl(
        &scene,
        &[&to("/cart/1234?token=secret"), "-o", "/dev/null", &to("/orders/7"), "-o", "/dev/null", &to("/broken")],
    );
    curl(&scene, &["--head", &to("/head")]);
    curl(&scene, &["--http1.0", &to("/old")]);
    curl(&scene, &["-X", "PUT", "--data-binary", &body, &to("/orders")]);
    curl(&scene, &["-H", "Transfer-Encoding: chunked", "--data-binary", &body, &to("/orders/chunked")]);
    curl(&scene, &["-H", "Connection: close", &to("/missing/0a1b2c3d4e5f")]);
    scene.expect_both(&[
        ("GET", "/cart/:id", 200),
        ("GET", "/orders/:id", 201),
        ("GET", "/broken", 503),
        ("HEAD", "/head", 200),
        ("GET", "/old", 200),
        ("PUT", "/orders", 201),
        ("POST", "/orders/chunked", 201),
        ("GET", "/missing/:id", 404),
    ]);
}

#[test]
fn a_body_of_100_megabytes_by_sendfile_is_one_call() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let _nginx = known(&mut scene, "sendfile");
    curl(&scene, &[&url(&scene, "/files/big"), "-o", "/dev/null", &url(&scene, "/after")]);
    scene.expect_both(&[("GET", "/files/big", 200), ("GET", "/after", 200)]);
}

#[test]
fn what_is_encrypted_beside_it_is_counted_as_unreadable() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let _nginx = known(&mut scene, "encrypted");
    let (clear, tls) = (url(&scene, "/clear"), format!("https://{}:{TLS_PORT}/tls", stage.node("b").ipv4));
    let before = scene.looked_at(Role::Server);
    curl(&scene, &[&tls, "-o", "/dev/null", &tls, "-o", "/dev/null", &tls]);
    curl(&scene, &[&clear, "-o", "/dev/null", &clear]);
    scene.expect_both(&[("GET", "/clear", 200); 2]);
    let after = scene.looked_at(Role::Server);
    let (sampled, readable) = (after.0 - before.0, after.1 - before.1);
    assert_eq!(readable, 2);
    assert!((4..=6).contains(&sampled), "the first exchanges of TLS are left out: {sampled}");
}
