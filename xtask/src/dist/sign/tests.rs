use super::*;
use serde_json::Value;

fn openssl(folder: &Path, args: &[&str]) -> Result<String> {
    sh::output(Command::new("openssl").current_dir(folder).args(args))
}

/// A folder with a new key and its public half.
fn folder(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("netwhy-sign-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    openssl(&folder, &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"])
        .unwrap();
    openssl(&folder, &["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"]).unwrap();
    folder
}

/// Whether openssl finds this signature right.
fn is_signed(folder: &Path, message: &[u8], signature: &str) -> bool {
    fs::write(folder.join("message"), message).unwrap();
    fs::write(folder.join("signature"), STANDARD.decode(signature).unwrap()).unwrap();
    openssl(folder, &["dgst", "-sha256", "-verify", "key.pub", "-signature", "signature", "message"]).is_ok()
}

#[test]
fn openssl_accepts_both_signatures_and_sees_a_change() {
    let folder = folder("both");
    let key = Key::read(&folder.join("key.pem"), &folder).unwrap();
    let sums = File { name: "SHA256SUMS".to_owned(), bytes: b"sums".to_vec() };
    let statement = File { name: "netwhy.provenance.json".to_owned(), bytes: b"{}\n".to_vec() };
    let [signature, envelope] = files(&key, &sums, &statement).unwrap();
    assert_eq!((signature.name.as_str(), envelope.name.as_str()), ("SHA256SUMS.sig", "netwhy.provenance.intoto.jsonl"));
    let text = String::from_utf8(signature.bytes).unwrap();
    let envelope: Value = serde_json::from_slice(&envelope.bytes).unwrap();
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let signed = envelope["signatures"][0]["sig"].as_str().unwrap();
    let verdicts = [
        is_signed(&folder, b"sums", &text),
        is_signed(&folder, b"sumS", &text),
        is_signed(&folder, &signed_bytes(&payload), signed),
    ];
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(verdicts, [true, false, true]);
    assert_eq!((payload.as_slice(), &envelope["payloadType"]), (b"{}\n".as_slice(), &json!(PAYLOAD)));
}

#[test]
fn an_envelope_signs_its_type_too() {
    assert_eq!(signed_bytes(b"{}"), b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
}

#[test]
fn keys_that_cannot_sign_are_refused_before_the_build() {
    let folder = folder("refused");
    fs::write(folder.join("cosign.key"), "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n").unwrap();
    let error = |name: &str| format!("{:#}", Key::read(&folder.join(name), &folder).err().unwrap());
    let errors = ["cosign.key", "key.pub", "none"].map(error);
    fs::remove_dir_all(&folder).unwrap();
    assert!(errors[0].contains("run `cosign sign-blob`"), "{}", errors[0]);
    assert!(errors[1].contains("use the key"), "{}", errors[1]);
    assert!(errors[2].contains("read the key"), "{}", errors[2]);
}
