use super::*;

fn target(name: &str) -> Target {
    Target::parse(name).unwrap()
}

/// One of another architecture than this machine's.
fn foreign() -> Target {
    let name = if Arch::host().is_some_and(|arch| arch.oci == "arm64") { "x86_64" } else { "aarch64" };
    target(&format!("{name}-unknown-linux-gnu"))
}

#[test]
fn every_target_has_its_name_in_images_and_in_debian() {
    let names = |name: &str| {
        let arch = target(name).arch;
        (arch.oci, arch.debian)
    };
    assert_eq!(names("x86_64-unknown-linux-musl"), ("amd64", "amd64"));
    assert_eq!(names("aarch64-unknown-linux-gnu"), ("arm64", "arm64"));
    assert_eq!(names("riscv64gc-unknown-linux-gnu"), ("riscv64", "riscv64"));
    assert_eq!(names("powerpc64le-unknown-linux-gnu"), ("ppc64le", "ppc64el"));
    assert_eq!(names("loongarch64-unknown-linux-musl"), ("loong64", "loong64"));
}

#[test]
fn other_targets_are_refused_in_one_line_that_says_which_there_are() {
    let wrong = ["", "arm64", "i686-unknown-linux-gnu", "s390x-unknown-linux-gnu", "x86_64-pc-windows-msvc"];
    for name in wrong {
        let error = Target::parse(name).unwrap_err();
        assert!(error.contains("x86_64, aarch64") && !error.contains('\n'), "{error}");
    }
}

#[test]
fn two_targets_of_one_architecture_are_refused() {
    let [gnu, musl] = ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"].map(target);
    let error = distinct(&[gnu.clone(), musl]).unwrap_err().to_string();
    assert!(error.contains("are both amd64"), "{error}");
    distinct(&[gnu, target("aarch64-unknown-linux-gnu")]).unwrap();
}

#[test]
fn another_architecture_is_built_with_its_own_tools() {
    let target = foreign();
    let tools = Tools::named(&target, false);
    let gnu = format!("{}-linux-gnu", target.arch.gnu);
    let variable = format!("CARGO_TARGET_{}_UNKNOWN_LINUX_GNU_LINKER", target.arch.rust.to_uppercase());
    assert_eq!(tools.linker, Some((variable, format!("{gnu}-gcc"))));
    assert_eq!((tools.objcopy, tools.builds_std), (format!("{gnu}-objcopy"), true));
    assert_eq!(compiler(&target), Some(format!("{gnu}-gcc")));
    assert_eq!(packages(target.arch)[1], format!("libc6-dev-{}-cross", target.arch.debian));
    assert!(!Tools::named(&target, true).builds_std, "rustup has its standard library");
}

#[test]
fn debian_names_its_compilers_without_underscores() {
    let [compiler, library] = packages(target("x86_64-unknown-linux-gnu").arch);
    assert_eq!((compiler.as_str(), library.as_str()), ("gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross"));
}

#[test]
fn this_machine_is_the_default() {
    let Some(arch) = Arch::host() else {
        println!("SKIP the default target: programs can't be built for {}", env::consts::ARCH);
        return;
    };
    let ready = ready(&[]).unwrap();
    let [(target, tools)] = ready.as_slice() else { panic!("{ready:?}") };
    assert_eq!((target.arch, tools.objcopy.as_str(), &tools.linker), (arch, "objcopy", &None));
    assert!(!tools.builds_std);
}
