//! The release build of the server.

use crate::process::Process;
use anyhow::{Result, bail};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Builds the server and returns its path. `is_plain` builds it without the feature `speed`, in a folder of its own.
pub fn release_server(is_plain: bool) -> Result<PathBuf> {
    // `cargo run` sets this for the programs that it runs, so the same cargo is used.
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(REPOSITORY).join("Cargo.toml");
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--locked", "--quiet", "--bin", "plainsocket", "--manifest-path"]).arg(manifest);
    let mut target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(REPOSITORY).join("target"), PathBuf::from);
    if is_plain {
        target.push("plain");
        build.arg("--no-default-features").arg("--target-dir").arg(&target);
    }
    let status = Process::start(&mut build)?.finish(Duration::from_secs(600), "the build of the server")?;
    if !status.success() {
        bail!("the build of the server failed");
    }
    Ok(target.join("release").join(format!("plainsocket{}", env::consts::EXE_SUFFIX)))
}
