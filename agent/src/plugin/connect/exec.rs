//! Credential plugins of the kubeconfig (`exec`): run once, with a time limit.

use super::super::Failure;
use jiff::Timestamp;
use kube::config::{ExecAuthCluster, ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use std::{
    io::{self, Read},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};
use tokio::{sync::Mutex, task::spawn_blocking};

/// A plugin that can't ask anything ends within this time.
const QUIET: Duration = Duration::from_secs(15);
/// A plugin on a terminal may ask for a password or for a login in the browser.
const PROMPT: Duration = Duration::from_secs(60);
/// Pause between two looks whether a plugin has ended.
const LOOK: Duration = Duration::from_millis(20);
/// Only one plugin asks at a time.
static TERMINAL: Mutex<()> = Mutex::const_new(());

/// Credentials from a plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Issued {
    pub(super) token: Option<String>,
    /// PEM.
    pub(super) client_certificate_data: Option<String>,
    /// PEM.
    pub(super) client_key_data: Option<String>,
    /// When it expires. `None`: with the process.
    pub(super) expiration_timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Answer {
    status: Option<Issued>,
}

/// Runs the plugin of `user`. `terminal`: stdin is a terminal, and the plugin may use it.
///
/// # Errors
/// A plugin that can't be started, fails, takes too long, or answers something else.
pub(super) async fn run(
    exec: &ExecConfig,
    cluster: Option<&ExecAuthCluster>,
    user: &str,
    terminal: bool,
) -> Result<Issued, Failure> {
    let asks = match exec.interactive_mode {
        Some(ExecInteractiveMode::Never) => false,
        Some(ExecInteractiveMode::Always) if !terminal => {
            return Err(failed(exec, user, "needs a terminal to ask for a login", "run it once on a terminal"));
        }
        _ => terminal,
    };
    // The lock is held while the plugin asks: that is its purpose.
    let (limit, _alone) = if asks { (PROMPT, Some(TERMINAL.lock().await)) } else { (QUIET, None) };
    run_within(exec, cluster, user, asks, limit).await
}

async fn run_within(
    exec: &ExecConfig,
    cluster: Option<&ExecAuthCluster>,
    user: &str,
    asks: bool,
    limit: Duration,
) -> Result<Issued, Failure> {
    let failed = |why: &str, remedy: &str| failed(exec, user, why, remedy);
    let child = command(exec, cluster, asks).spawn().map_err(|error| {
        let hint = exec.install_hint.as_deref().unwrap_or("install it, or correct `exec` of the kubeconfig");
        failed(&format!("can't be run: {error}"), hint)
    })?;
    let Ok(output) = tokio::time::timeout(limit, Running(child).end()).await else {
        let why = format!("did not end within {} s", limit.as_secs_f64());
        return Err(failed(&why, "run it by hand: it may wait for a login"));
    };
    let output = output.map_err(|error| failed(&format!("can't be read: {error}"), ""))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let why = format!("failed ({}) {last}", ended(output.status));
        return Err(failed(why.trim(), "run it by hand, and log in again"));
    }
    // client-go takes YAML too.
    let answer = String::from_utf8_lossy(&output.stdout);
    let answer: Answer = serde_saphyr::from_str(&answer)
        .map_err(|_| failed("printed no ExecCredential", "run it by hand to see its output"))?;
    let issued = answer.status.unwrap_or_default();
    match (&issued.token, &issued.client_certificate_data, &issued.client_key_data) {
        (Some(_), None, None) | (_, Some(_), Some(_)) => Ok(issued),
        _ => Err(failed("issued neither a token nor a certificate with its key", "")),
    }
}

fn failed(exec: &ExecConfig, user: &str, why: &str, remedy: &str) -> Failure {
    let name = exec.command.as_deref().unwrap_or_default();
    Failure::new(format!("user {user}: the credential plugin `{name}` {why}"), remedy)
}

fn command(exec: &ExecConfig, cluster: Option<&ExecAuthCluster>, asks: bool) -> Command {
    let mut command = Command::new(exec.command.as_deref().unwrap_or_default());
    command.args(exec.args.iter().flatten()).stdout(Stdio::piped());
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    let spec = serde_json::json!({
        "kind": "ExecCredential",
        "apiVersion": exec.api_version,
        "spec": {"interactive": asks, "cluster": cluster.filter(|_| exec.provide_cluster_info)},
    });
    command.env("KUBERNETES_EXEC_INFO", spec.to_string());
    if asks {
        command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
    } else {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
    }
    command
}

/// A process that does not outlive the wait for it.
struct Running(Child);

impl Running {
    /// Waits for its end. Dropping the wait kills it.
    async fn end(mut self) -> io::Result<Output> {
        let stdout = self.0.stdout.take().map(|pipe| spawn_blocking(move || read(pipe)));
        let stderr = self.0.stderr.take().map(|pipe| spawn_blocking(move || read(pipe)));
        let status = loop {
            match self.0.try_wait()? {
                Some(status) => break status,
                None => tokio::time::sleep(LOOK).await,
            }
        };
        let mut texts = [Vec::new(), Vec::new()];
        for (text, reader) in texts.iter_mut().zip([stdout, stderr]) {
            if let Some(reader) = reader {
                *text = reader.await.map_err(io::Error::other)??;
            }
        }
        let [stdout, stderr] = texts;
        Ok(Output { status, stdout, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without an effect on one that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read(mut pipe: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    pipe.read_to_end(&mut text)?;
    Ok(text)
}

fn ended(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

#[cfg(test)]
mod tests;
