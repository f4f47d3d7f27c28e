use super::*;
use secrecy::ExposeSecret as _;

const FILE: &str = "
apiVersion: v1
kind: Config
current-context: one
clusters:
- {name: one, cluster: {server: 'https://one', certificate-authority: /ca, tls-server-name: inner}}
- {name: two, cluster: {server: 'https://two', proxy-url: 'socks5://p:1'}}
users:
- {name: ann, user: {exec: {command: login}, client-certificate: /c, client-key: /k}}
- {name: bob, user: {username: bob, password: x, as: boss}}
contexts:
- {name: one, context: {cluster: one, user: ann, namespace: shop}}
- {name: lost, context: {cluster: gone, user: nobody}}
- {name: bare, context: {cluster: two, user: nobody}}
";

fn choice(context: Option<&str>, flags: &Kubectl) -> Result<Choice, String> {
    choose(&Kubeconfig::from_yaml(FILE).unwrap(), context, flags).map_err(|failure| failure.to_string())
}

fn flags(args: &[&str]) -> Kubectl {
    let all: Vec<std::ffi::OsString> = ["kubectl-netwhy", "hints"].iter().chain(args).map(Into::into).collect();
    super::super::super::cli::parse(&all).unwrap().global.kubectl
}

#[test]
fn a_context_names_cluster_user_and_namespace() {
    let one = choice(None, &Kubectl::default()).unwrap();
    assert_eq!((one.cluster.server.as_deref(), one.namespace.as_str()), (Some("https://one"), "shop"));
    assert_eq!(one.user.exec.unwrap().command.as_deref(), Some("login"));
    let bare = choice(Some("bare"), &Kubectl::default()).unwrap();
    assert_eq!((bare.cluster.proxy_url.as_deref(), bare.namespace.as_str()), (Some("socks5://p:1"), "default"));
}

#[test]
fn flags_replace_parts_of_the_context() {
    let two = choice(None, &flags(&["--cluster", "two", "--user=bob", "--as-group=a", "--as-group=b"])).unwrap();
    assert_eq!((two.cluster.server.as_deref(), two.user_name.as_str()), (Some("https://two"), "bob"));
    assert_eq!((two.user.impersonate.as_deref(), two.namespace.as_str()), (Some("boss"), "shop"));
    assert_eq!(two.user.impersonate_groups.unwrap(), ["a", "b"]);
    let as_ann = choice(None, &flags(&["--user=bob", "--as=ann", "--as-uid=7"])).unwrap().user;
    assert_eq!((as_ann.impersonate.as_deref(), as_ann.impersonate_uid.as_deref()), (Some("ann"), Some("7")));
    let keys = choice(None, &flags(&["--client-certificate=/x", "--client-key=/y"])).unwrap().user;
    assert_eq!((keys.client_certificate.as_deref(), keys.client_key.as_deref()), (Some("/x"), Some("/y")));
}

#[test]
fn a_token_beats_passwords_and_plugins_and_leaves_the_certificate() {
    for user in ["ann", "bob"] {
        let user = choice(None, &flags(&["--token=t", "--user", user])).unwrap().user;
        assert_eq!(user.token.unwrap().expose_secret(), "t");
        assert!(user.exec.is_none() && user.username.is_none() && user.password.is_none());
    }
    assert!(choice(None, &flags(&["--token=t"])).unwrap().user.client_certificate.is_some());
}

#[test]
fn a_server_of_the_flags_drops_the_name_that_belongs_to_the_old_one() {
    let cluster = |args: &[&str]| choice(None, &flags(args)).unwrap().cluster;
    let other = cluster(&["-s", "https://other"]);
    assert_eq!((other.server.as_deref(), other.tls_server_name), (Some("https://other"), None));
    assert_eq!(other.certificate_authority.as_deref(), Some("/ca"));
    assert_eq!(cluster(&["--server=localhost:8080"]).server.as_deref(), Some("http://localhost:8080"));
    assert_eq!(cluster(&["--tls-server-name=x"]).tls_server_name.as_deref(), Some("x"));
    let insecure = cluster(&["--insecure-skip-tls-verify"]);
    assert_eq!((insecure.insecure_skip_tls_verify, insecure.certificate_authority), (Some(true), None));
    assert_eq!(cluster(&["--insecure-skip-tls-verify=false"]).certificate_authority.as_deref(), Some("/ca"));
    assert_eq!(cluster(&["--certificate-authority=/b"]).certificate_authority.as_deref(), Some("/b"));
}

#[test]
fn a_server_needs_no_context_and_a_plain_one_runs_no_plugin() {
    let alone = choose(&Kubeconfig::default(), None, &flags(&["--server=http://x:1"])).unwrap();
    assert_eq!((alone.cluster.server.as_deref(), alone.namespace.as_str()), (Some("http://x:1"), "default"));
    assert!(choice(None, &flags(&["--server=http://x:1"])).unwrap().user.exec.is_none());
    assert!(choose(&Kubeconfig::default(), None, &Kubectl::default()).unwrap_err().to_string().contains("--context"));
}

#[test]
fn unknown_names_are_told_with_those_that_exist() {
    for (context, args, words) in [
        (Some("x"), &[][..], ["no context is named \"x\"", "one, lost, bare"]),
        (Some("lost"), &[], ["no cluster is named \"gone\"", "one, two"]),
        (None, &["--cluster=x"], ["no cluster is named \"x\"", "one, two"]),
        (None, &["--user=x"], ["no user is named \"x\"", "ann, bob"]),
    ] {
        let failure = choice(context, &flags(args)).unwrap_err();
        assert!(words.iter().all(|word| failure.contains(word)), "{failure}");
    }
}
