use super::*;
use crate::{
    config::Config,
    http::testing::{Authority, Folder},
};
use std::fs;

fn error(folder: &Folder) -> String {
    let files = TlsFiles::of(&folder.with_client_ca("").http).unwrap();
    let error = files.read().and_then(|contents| files.server_config(&contents).map(drop)).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error.replace(&*folder.0.to_string_lossy(), "DIR")
}

fn good() -> Folder {
    let (folder, authority) = (Folder::new(), Authority::new());
    folder.write_pair(&authority.issue("localhost"));
    folder.write("ca.crt", authority.pem());
    folder
}

#[test]
fn files_of_a_pair_and_a_ca_are_a_configuration() {
    let folder = good();
    let files = TlsFiles::of(&folder.with_client_ca("").http).unwrap();
    let config = files.server_config(&files.read().unwrap()).unwrap();
    assert_eq!(config.alpn_protocols, [b"http/1.1"]);
    assert_eq!(config.send_tls13_tickets, 0);
    assert!(TlsFiles::of(&Config::default().http).is_none());
}

#[test]
fn each_bad_file_is_one_line_with_the_setting_the_mistake_and_the_remedy() {
    let missing = "no such file; check the path, or the Secret that is mounted";
    let pem = "give certificates in PEM (BEGIN CERTIFICATE)";
    let key = "give one private key in PEM (PKCS#8, PKCS#1 or SEC1), RSA, ECDSA or Ed25519, without a passphrase";
    let pair = Authority::new().issue("localhost");
    let (body, half) = (pair.key.lines().nth(1).unwrap(), &pair.key[..pair.key.len() / 2]);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let foreign = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, contents, expected) in [
        ("tls.crt", "", format!("http.tls_certificate_file DIR/tls.crt: no certificate; {pem}")),
        ("tls.crt", &*pair.key, format!("http.tls_certificate_file DIR/tls.crt: no certificate; {pem}")),
        ("ca.crt", "not a certificate", format!("http.tls_client_ca_file DIR/ca.crt: no certificate; {pem}")),
        ("tls.key", "", format!("http.tls_key_file DIR/tls.key: no private key that can be read; {key}")),
        ("tls.key", encrypted, format!("http.tls_key_file DIR/tls.key: no private key that can be read; {key}")),
        ("tls.key", half, format!("http.tls_key_file DIR/tls.key: a section without its END line; {key}")),
        (
            "tls.key",
            &*pair.key,
            "http.tls_key_file DIR/tls.key: the key does not belong to the certificate DIR/tls.crt; give the two files \
             of one pair"
                .to_owned(),
        ),
    ] {
        let folder = good();
        folder.write(name, contents);
        let error = error(&folder);
        assert_eq!(error, expected);
        assert!(!error.contains(body), "a key never stands in an error");
    }
    let folder = good();
    folder.write("tls.crt", foreign);
    let text = error(&folder);
    assert!(text.starts_with("http.tls_certificate_file DIR/tls.crt: invalid peer certificate") && text.ends_with(pem));
    for (name, setting) in [("tls.crt", "certificate"), ("tls.key", "key"), ("ca.crt", "client_ca")] {
        let folder = good();
        fs::remove_file(folder.0.join(name)).unwrap();
        assert_eq!(error(&folder), format!("http.tls_{setting}_file DIR/{name}: {missing}"));
        fs::create_dir(folder.0.join(name)).unwrap();
        assert_eq!(error(&folder), format!("http.tls_{setting}_file DIR/{name}: is a directory; name the file in it"));
    }
    let folder = good();
    folder.write("tls.crt", vec![b'#'; 2 << 20]);
    assert_eq!(error(&folder), "http.tls_certificate_file DIR/tls.crt: larger than 1 MiB; name a PEM file");
}

#[test]
fn a_change_of_any_file_changes_the_fingerprint() {
    let folder = good();
    let digest = || TlsFiles::of(&folder.with_client_ca("").http).unwrap().read().unwrap().digest();
    let mut seen = vec![digest()];
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        assert_eq!(digest(), *seen.last().unwrap());
        let mut text = fs::read(folder.0.join(name)).unwrap();
        text.push(b'\n');
        folder.write(name, text);
        assert!(!seen.contains(&digest()), "{name}");
        seen.push(digest());
    }
}
