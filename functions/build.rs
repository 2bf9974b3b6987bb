//! Chooses the linker of the function binaries, and how it lays them out.

use std::env::var;

/// LLD, the default on x86-64, leaves out functions that nobody calls but keeps
/// their exception tables, a fifth of a function's size; GNU's linker leaves out
/// both. Only where it is certain to be there: a release for this very system,
/// and no linker chosen by anybody else, such as cargo-lambda's Zig.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    let is = |name: &str, value: &str| var(name).is_ok_and(|found| found == value);
    let is_native = var("HOST").is_ok() && var("HOST") == var("TARGET");
    let is_gnu = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    let is_here = ["/usr/bin/ld.bfd", "/bin/ld.bfd"].iter().any(|path| std::path::Path::new(path).exists());
    if is("PROFILE", "release") && is_native && is_gnu && is_here && var("RUSTC_LINKER").is_err() {
        println!("cargo:rustc-link-arg-bins=-fuse-ld=bfd");
        // Functions of the same name, one for each type that they
        // were compiled for: alike, and a zip is a twentieth smaller.
        println!("cargo:rustc-link-arg-bins=-Wl,--sort-section=name");
        // At fixed addresses: without the table of what to adjust when the program is
        // loaded, a zip has 90 KB less.
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
