use super::*;
use crate::kube::{Cluster, ConfigSource, Timeouts};
use ::kube::config::{AuthProviderConfig, ExecConfig};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use std::{
    convert::Infallible,
    fs,
    pin::pin,
    sync::{Mutex, mpsc},
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::oneshot,
};
use tower::{ServiceExt as _, service_fn};
use tracing::subscriber::DefaultGuard;

/// The longest that a busy machine may need.
const PATIENCE: Duration = Duration::from_secs(30);
const OLD: &str = "Bearer old";
const NEW: &str = "Bearer new";

/// A folder with a token file; gone when dropped, and then nobody hangs in the file any more.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netwhy-token-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let this = Self(path);
        this.write("old\n");
        this
    }

    fn file(&self) -> PathBuf {
        self.0.join("token")
    }

    fn token(&self) -> Arc<Token> {
        Arc::new(Token::load(self.file()).unwrap())
    }

    /// Takes the place of the file in one step, as the kubelet does it.
    fn write(&self, text: &str) {
        let next = self.0.join("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, self.file()).unwrap();
    }

    /// Its reader hangs until somebody writes.
    fn write_pipe(&self) {
        let next = self.0.join("next");
        mknodat(CWD, &next, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        fs::rename(next, self.file()).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Ends the reading of a pipe, also one that begins now.
        let writer = rustix::fs::open(self.file(), OFlags::RDWR | OFlags::NONBLOCK, Mode::empty());
        let _ = fs::remove_dir_all(&self.0);
        drop(writer);
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Catches what this thread logs.
    fn catch(&self) -> DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Asks a server that accepts one header. Returns the header that it got, and its answer.
async fn ask(token: &Arc<Token>, accepted: &'static str) -> (String, StatusCode) {
    let server = service_fn(move |request: Request<()>| async move {
        let got = request.headers()[AUTHORIZATION].to_str().unwrap().to_owned();
        let status = if got == accepted { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        let mut response = Response::new(got);
        *response.status_mut() = status;
        Ok::<_, Infallible>(response)
    });
    let client = TokenLayer(Some(Arc::clone(token))).layer(server);
    let (head, body) = client.oneshot(Request::new(())).await.unwrap().into_parts();
    (body, head.status)
}

#[tokio::test]
async fn a_rotated_token_is_taken_over() {
    let folder = Folder::new("rotated");
    let token = folder.token();
    let mut renewal = TokenRenewal::new(Arc::clone(&token));
    folder.write("new");
    assert_eq!(ask(&token, OLD).await, (OLD.to_owned(), StatusCode::OK), "from memory");
    renewal.renew().await.unwrap();
    assert_eq!(ask(&token, NEW).await, (NEW.to_owned(), StatusCode::OK));
    assert!(token.header().is_sensitive(), "no log shows it");
}

#[tokio::test]
async fn a_file_without_a_token_leaves_the_old_one_and_is_logged_once() {
    let folder = Folder::new("empty");
    let token = folder.token();
    let log = Log::default();
    let _logging = log.catch();
    let mut renewal = TokenRenewal::new(Arc::clone(&token));
    for (text, why) in [("", "it is empty"), (" \n", "it is empty"), ("a\nb", "it has characters that no token has")] {
        folder.write(text);
        for _ in 0..2 {
            renewal.renew().await.unwrap();
        }
        assert_eq!(ask(&token, OLD).await.1, StatusCode::OK);
        assert!(log.lines().last().unwrap().contains(why), "{:?}", log.lines());
    }
    assert_eq!(log.lines().len(), 2, "{:?}", log.lines());
    folder.write(&"a".repeat(MAX_BYTES as usize + 1));
    assert_eq!(read(&folder.file()).unwrap_err().to_string(), "it is larger than 64 KiB");
    fs::remove_file(folder.file()).unwrap();
    renewal.renew().await.unwrap();
    assert_eq!((log.lines().len(), ask(&token, OLD).await.1), (3, StatusCode::OK));
    // Good in between: the same problem is a new one.
    folder.write("new");
    renewal.renew().await.unwrap();
    folder.write("");
    renewal.renew().await.unwrap();
    assert_eq!((log.lines().len(), ask(&token, NEW).await.1), (4, StatusCode::OK));
    assert!(Token::load(folder.file()).is_err(), "there is no old one at the start");
}

#[tokio::test]
async fn a_file_that_hangs_delays_no_request_and_no_stop_and_is_logged_once() {
    let folder = Folder::new("hangs");
    let token = folder.token();
    folder.write_pipe();
    let log = Log::default();
    let _logging = log.catch();
    let pace = Pace { interval: Duration::ZERO, after_refusal: Duration::ZERO, deadline: Duration::ZERO };
    let mut renewal = TokenRenewal { pace, ..TokenRenewal::new(Arc::clone(&token)) };
    let mut known = OLD;
    for (text, header) in [("new", NEW), ("newer", "Bearer newer")] {
        let mut renewing = pin!(renewal.renew());
        assert!(timeout(Duration::from_millis(50), &mut renewing).await.is_err(), "it hangs");
        assert_eq!(ask(&token, known).await, (known.to_owned(), StatusCode::OK));
        let file = folder.file();
        spawn_blocking(move || fs::write(file, text)).await.unwrap().unwrap();
        renewing.await.unwrap();
        assert_eq!(token.header(), header, "a late token is a token");
        known = header;
    }
    assert_eq!(log.lines().len(), 1, "{:?}", log.lines());
    assert!(log.lines()[0].contains("it can't be read within 0 s"), "{:?}", log.lines());
    let renewal = TokenRenewal { pace, ..TokenRenewal::new(token) };
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(renewal.run(async {
        let _ = stopped.await;
    }));
    until("it hangs again", || log.lines().len() == 2).await;
    stop.send(()).unwrap();
    timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_refused_token_is_read_again_long_before_its_minute() {
    const { assert!(PATIENCE.as_secs() < PACE.interval.as_secs()) };
    let folder = Folder::new("refused");
    let token = folder.token();
    folder.write("new");
    let pace = Pace { after_refusal: Duration::from_millis(1), ..PACE };
    let renewal = TokenRenewal { pace, ..TokenRenewal::new(Arc::clone(&token)) };
    let running = tokio::spawn(renewal.run(std::future::pending()));
    assert_eq!(ask(&token, NEW).await, (OLD.to_owned(), StatusCode::UNAUTHORIZED));
    until("the new token", || token.header() == NEW).await;
    assert_eq!(ask(&token, NEW).await.1, StatusCode::OK);
    running.abort();
}

#[test]
fn a_token_file_stands_behind_the_credentials_that_kube_prefers() {
    let auth = || AuthInfo { token_file: Some("/t".to_owned()), ..AuthInfo::default() };
    let mut with_plugin = AuthInfo { exec: Some(ExecConfig::default()), ..auth() };
    assert_eq!(take_file(&mut with_plugin), Some(PathBuf::from("/t")));
    assert!(with_plugin.exec.is_none() && with_plugin.token_file.is_none(), "else kube would run the plugin");
    let basic = || AuthInfo { username: Some("u".to_owned()), ..auth() };
    assert_eq!(take_file(&mut basic()), Some(PathBuf::from("/t")), "a name alone is none");
    for mut other in [
        AuthInfo { token: Some("t".to_owned().into()), ..auth() },
        AuthInfo { password: Some("p".to_owned().into()), ..basic() },
        AuthInfo { auth_provider: Some(AuthProviderConfig::default()), ..auth() },
        AuthInfo::default(),
    ] {
        let before = other.token_file.clone();
        assert_eq!((take_file(&mut other), other.token_file), (None, before));
    }
}

/// kube's own layer takes the token as it is in the file, with the line's end, which no header may have.
#[tokio::test]
async fn a_client_sends_the_token_of_its_kubeconfig_and_of_its_renewal() {
    let folder = Folder::new("client");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heads, seen) = mpsc::channel();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            heads.send(String::from_utf8(head).unwrap().to_lowercase()).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            stream.write_all(answer).await.unwrap();
        }
    });
    // Of its own, because a machine may know no authority.
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertificateParams::new(vec!["x".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.0.join("ca.pem"), authority.pem()).unwrap();
    let kubeconfig = folder.0.join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: x\nclusters: [{{name: x, cluster: {{server: \
         'http://{address}', certificate-authority: ca.pem}}}}]\nusers: [{{name: x, user: {{tokenFile: token}}}}]\n\
         contexts: [{{name: x, context: {{cluster: x, user: x}}}}]\n"
    );
    fs::write(&kubeconfig, text).unwrap();
    let source = ConfigSource::File(kubeconfig);
    let prepared = Cluster::prepare(&source, || Duration::from_secs(1), Timeouts::default()).await.unwrap();
    prepared.check_renewal().unwrap();
    let cluster = prepared.start();
    let mut renewal = cluster.token_renewal().unwrap();
    for header in ["\r\nauthorization: bearer old\r\n", "\r\nauthorization: bearer new\r\n"] {
        let request = Request::get("/version").body(Vec::new()).unwrap();
        assert_eq!(cluster.client.request_text(request).await.unwrap(), "ok");
        let head = seen.recv().unwrap();
        assert!(head.contains(header) && head.matches("authorization").count() == 1, "{head}");
        folder.write("new");
        renewal.renew().await.unwrap();
    }
    server.abort();
}
