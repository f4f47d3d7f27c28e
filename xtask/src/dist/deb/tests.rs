use super::*;
use crate::{artifact::target::Target, sh};
use std::{os::unix::fs::PermissionsExt as _, process::Command};

fn arch() -> Arch {
    Target::parse("powerpc64le-unknown-linux-gnu").unwrap().arch
}

fn made() -> File {
    let programs: [(&str, &[u8]); 2] = [("netwhy-agent", b"agent"), ("kubectl-netwhy", b"plugin")];
    package(&programs, arch(), &sh::workspace().unwrap(), 1_700_000_000).unwrap()
}

#[test]
fn a_package_is_the_same_again() {
    let package = made();
    assert_eq!(package, made());
    assert_eq!(package.name, name(arch()));
    assert!(package.name.ends_with("_ppc64el.deb"), "Debian's name: {}", package.name);
    assert!(package.bytes.starts_with(b"!<arch>\ndebian-binary   1700000000  0     0     100644  4         `\n2.0\n"));
}

#[test]
fn dpkg_reads_and_unpacks_a_package() {
    if !sh::in_path("dpkg-deb") {
        println!("SKIP the Debian package: no dpkg-deb");
        return;
    }
    let folder = std::env::temp_dir().join(format!("netwhy-deb-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let package = folder.join("netwhy.deb");
    fs::write(&package, made().bytes).unwrap();
    let ask = |action: &str, args: &[&str]| {
        sh::output(Command::new("dpkg-deb").current_dir(&folder).args([action, "netwhy.deb"]).args(args)).unwrap()
    };
    let field = |name: &str| ask("--field", &[name]).trim().to_owned();
    let fields = ["Package", "Version", "Architecture"].map(field);
    ask("--extract", &["root"]);
    ask("--control", &["control"]);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
    let unit = read("root/usr/lib/systemd/system/netwhy.service");
    let agent = (read("root/usr/bin/netwhy-agent"), mode("root/usr/bin/netwhy-agent"));
    let configuration = read("control/conffiles");
    let scripts = ["postinst", "prerm", "postrm"].map(|name| mode(&format!("control/{name}")));
    let exists = configuration.lines().all(|line| folder.join(format!("root{line}")).is_file());
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(fields, ["netwhy", env!("CARGO_PKG_VERSION"), "ppc64el"]);
    assert_eq!((agent, scripts), (("agent".to_owned(), 0o755), [0o755; 3]));
    assert!(unit.contains("ExecStart=/usr/bin/netwhy-agent run") && !unit.contains("/usr/local"), "{unit}");
    assert!(exists && configuration == "/etc/netwhy.yaml\n", "{configuration}");
}

#[test]
fn the_page_shows_the_unit_as_it_is() {
    let workspace = sh::workspace().unwrap();
    let read = |name: &str| fs::read_to_string(workspace.join(name)).unwrap();
    assert!(read("docs/install.md").contains(&read("docs/netwhy.service")));
}

/// Calls of systemd's programs by a script that dpkg runs with this argument. `fails`: a pattern of calls that fail.
fn calls(script: &str, argument: &str, is_booted: bool, fails: &str) -> Vec<String> {
    let functions = format!(
        "called() {{ echo \"$@\"; case \" $* \" in {fails}) return 1 ;; esac; }}
         systemctl() {{ called systemctl \"$@\"; }}
         invoke() {{ called deb-systemd-invoke \"$@\"; }}\n"
    );
    // Shells want no hyphens in the names of functions.
    let script = script.replace("deb-systemd-invoke", "invoke");
    let script = functions + &script.replace("/run/systemd/system", if is_booted { "/" } else { "/absent" });
    let output = Command::new("sh").args(["-c", &script, "script", argument]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn scripts_do_what_debians_policy_demands_at_each_step() {
    let reload = "systemctl --system daemon-reload";
    let active = "systemctl --quiet is-active netwhy.service";
    let restart = "deb-systemd-invoke restart netwhy.service";
    let stop = "deb-systemd-invoke stop netwhy.service";
    let disable = "systemctl --quiet disable netwhy.service";
    let none: [&str; 0] = [];
    assert_eq!(calls(AFTER_INSTALLATION, "configure", true, "none"), [reload, active, restart]);
    assert_eq!(calls(AFTER_INSTALLATION, "configure", true, "*is-active*"), [reload, active], "it did not run");
    assert_eq!(calls(AFTER_INSTALLATION, "configure", true, "*restart*"), [reload, active, restart]);
    assert_eq!(calls(BEFORE_REMOVAL, "remove", true, "*"), [stop, disable], "failures fail no removal");
    assert_eq!(calls(BEFORE_REMOVAL, "upgrade", true, "none"), none, "it runs until it is replaced");
    assert_eq!(calls(AFTER_REMOVAL, "remove", true, "none"), [reload]);
    assert_eq!(calls(AFTER_REMOVAL, "purge", true, "none"), none);
    // An image that is being built: systemd does not run, but the link is a file.
    let [installed, removed, gone] =
        [(AFTER_INSTALLATION, "configure"), (BEFORE_REMOVAL, "remove"), (AFTER_REMOVAL, "remove")]
            .map(|(script, argument)| calls(script, argument, false, "none"));
    assert!(installed.is_empty() && gone.is_empty());
    assert_eq!(removed, [disable]);
}
