use super::*;
use std::time::Instant;

fn plugin(script: &str, more: serde_json::Value) -> ExecConfig {
    let mut config = serde_json::json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script],
        "interactiveMode": "Never", "env": [{"name": "GREETING", "value": "hello"}],
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

async fn issue(script: &str, more: serde_json::Value) -> Result<Issued, String> {
    run(&plugin(script, more), None, "ann", false).await.map_err(|failure| failure.to_string())
}

#[tokio::test]
async fn a_plugin_sees_what_kubectl_shows_it() {
    let script = r#"case "$KUBERNETES_EXEC_INFO" in *'"interactive":false'*) ;; *) exit 3;; esac
        read line && exit 4
        echo "{kind: ExecCredential, status: {token: $GREETING, expirationTimestamp: '2030-01-01T00:00:00Z'}}""#;
    let issued = issue(script, serde_json::json!({})).await.unwrap();
    assert_eq!(issued.token.as_deref(), Some("hello"));
    assert_eq!(issued.expiration_timestamp, Some("2030-01-01T00:00:00Z".parse().unwrap()));
}

#[tokio::test]
async fn failures_name_user_command_and_remedy() {
    let none = serde_json::json!({});
    for (script, more, words) in [
        ("echo first >&2; echo please log in >&2; exit 7", none.clone(), "failed (exit code 7) please log in"),
        ("echo hello", none.clone(), "no ExecCredential"),
        ("echo '{\"status\":{}}'", none.clone(), "neither a token nor a certificate"),
        ("echo '{\"status\":{\"clientCertificateData\":\"x\"}}'", none, "neither a token nor a certificate"),
        ("", serde_json::json!({"command": "/nonexistent", "installHint": "brew install x"}), "brew install x"),
        ("", serde_json::json!({"interactiveMode": "Always"}), "on a terminal"),
    ] {
        let failure = issue(script, more).await.unwrap_err();
        assert!(failure.starts_with("user ann: the credential plugin `"), "{failure}");
        assert!(failure.contains(words), "{words} in {failure}");
    }
}

#[tokio::test]
async fn a_hanging_plugin_is_given_up() {
    let begin = Instant::now();
    let hanging = plugin("exec sleep 60", serde_json::json!({}));
    let failure = run_within(&hanging, None, "ann", false, Duration::from_millis(300)).await.unwrap_err().to_string();
    assert!(failure.contains("did not end within 0.3 s"), "{failure}");
    assert!(begin.elapsed() < QUIET);
}
