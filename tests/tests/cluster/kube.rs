//! A real one-node cluster, made by the tools that `NETWHY_KUBE_TOOLS` names (a folder with `kube-up` and `kube-down`).

use netwhy_tests::kubernetes;
use std::{
    cell::RefCell,
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::{Duration, Instant},
};

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A cluster of its own; taken down when dropped.
pub(crate) struct Cluster {
    tools: PathBuf,
    dir: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    forward: RefCell<Option<Forward>>,
}

/// `kubectl port-forward` to the API of an agent. It ends when dropped.
struct Forward {
    child: Child,
    /// kubectl writes a line for each connection, and ends when nobody could read it.
    _output: BufReader<ChildStdout>,
    port: u16,
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Cluster {
    /// Starts it. `None`, and a line that says why: this machine can't have one.
    pub(crate) fn up(test: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("SKIP {test}: needs root");
            return None;
        }
        let named = env::var_os(kubernetes::TOOLS).map(PathBuf::from);
        let Some(tools) = named.filter(|tools| tools.join("kube-up").is_file()) else {
            println!("SKIP {test}: machine: no cluster to be had: set NETWHY_KUBE_TOOLS to a folder with kube-up");
            return None;
        };
        let dir = env::temp_dir().join(format!("netwhy-cluster-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let this = Self { tools, kubeconfig: dir.join("node/kubeconfig"), dir, forward: RefCell::default() };
        let up = this.tool("kube-up", &[]);
        assert!(up.status.success(), "kube-up: {}{}", text(&up.stdout), text(&up.stderr));
        Some(this)
    }

    /// The folder of `kube-up`'s state.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("node")
    }

    fn tool(&self, name: &str, args: &[&str]) -> Output {
        let mut command = Command::new(self.tools.join(name));
        command.args(args).env("KUBELAB_DIR", self.dir.join("node")).output().unwrap()
    }

    /// Makes a program an image of the cluster.
    pub(crate) fn image(&self, name: &str, program: &Path) {
        let made = self.tool("kube-up", &["image", name, program.to_str().unwrap()]);
        assert!(made.status.success(), "{}", text(&made.stderr));
    }

    /// `kubectl`, whatever it comes to.
    pub(crate) fn try_kubectl(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(args).env("KUBECACHEDIR", self.dir.join("cache"));
        let output = command.stdin(Stdio::null()).output().unwrap();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.try_kubectl(args).unwrap_or_else(|error| panic!("kubectl {args:?}: {error}"))
    }

    /// `kubectl apply` of these documents.
    pub(crate) fn apply(&self, documents: &str) {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(["apply", "-f", "-"]);
        command.env("KUBECACHEDIR", self.dir.join("cache")).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(documents.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    /// A file of the cluster, removed with it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// An agent's answer: through the API server's Pod proxy, and `/api/v1` by port-forward.
    pub(crate) fn agent(&self, path: &str) -> Result<String, String> {
        if path.starts_with("/api/") { self.forwarded(path) } else { self.proxied(path) }
    }

    fn forwarded(&self, path: &str) -> Result<String, String> {
        let mut forward = self.forward.borrow_mut();
        if forward.is_none() {
            *forward = Some(self.start_forward()?);
        }
        let port = forward.as_ref().map_or(0, |forward| forward.port);
        let answer = get(port, path);
        if answer.is_err() {
            // The agent's Pod may have been replaced.
            *forward = None;
        }
        answer
    }

    fn start_forward(&self) -> Result<Forward, String> {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(["-n", "netwhy", "port-forward", "daemonset/netwhy"]);
        command.arg(":9812").env("KUBECACHEDIR", self.dir.join("cache")).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let port =
            line.strip_prefix("Forwarding from 127.0.0.1:").and_then(|rest| rest.split(' ').next()?.parse().ok());
        let mut forward = Forward { child, _output: output, port: port.unwrap_or(0) };
        if port.is_some() {
            return Ok(forward);
        }
        let mut error = String::new();
        let _ = forward.child.kill();
        forward.child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        Err(format!("port-forward: {line}{error}"))
    }

    /// An agent's answer through the API server's Pod proxy.
    pub(crate) fn proxied(&self, path: &str) -> Result<String, String> {
        let name = self.try_kubectl(&[
            "get",
            "pods",
            "-n",
            "netwhy",
            "-l",
            "app.kubernetes.io/name=netwhy",
            "-o",
            "jsonpath={.items[0].metadata.name}",
        ])?;
        self.try_kubectl(&["get", "--raw", &format!("/api/v1/namespaces/netwhy/pods/{name}:9810/proxy{path}")])
    }

    pub(crate) fn json(&self, path: &str) -> Result<serde_json::Value, String> {
        serde_json::from_str(&self.agent(path)?).map_err(|error| error.to_string())
    }

    /// Output that helps to understand a failure.
    pub(crate) fn describe(&self) -> String {
        let parts = [
            self.try_kubectl(&["get", "pods", "-A", "-o", "wide"]),
            self.try_kubectl(&["describe", "pods", "-n", "netwhy"]),
            self.try_kubectl(&["logs", "-n", "netwhy", "-l", "app.kubernetes.io/name=netwhy", "--tail", "40"]),
        ];
        parts.map(|part| part.unwrap_or_else(|error| error)).join("\n")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let down = self.tool("kube-down", &[]);
        if down.status.success() {
            let _ = fs::remove_dir_all(&self.dir);
        } else {
            eprintln!("kube-down: {}", text(&down.stderr));
        }
    }
}

/// GET from this port on loopback.
fn get(port: u16, path: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .map_err(|error| error.to_string())?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(|error| error.to_string())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no answer")?;
    if head.starts_with("HTTP/1.1 200") { Ok(body.to_owned()) } else { Err(text) }
}

/// Asks again and again until there is an answer.
pub(crate) fn eventually<T>(
    cluster: &Cluster,
    limit: Duration,
    what: &str,
    mut ask: impl FnMut() -> Result<T, String>,
) -> T {
    let begin = Instant::now();
    loop {
        match ask() {
            Ok(answer) => {
                println!("{what}: after {:.1} s", begin.elapsed().as_secs_f64());
                return answer;
            }
            Err(why) if begin.elapsed() > limit => panic!("no {what} within {limit:?}: {why}\n{}", cluster.describe()),
            Err(_) => std::thread::sleep(Duration::from_millis(500)),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
