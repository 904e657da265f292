//! `cargo xtask moderators`: the example moderators in three languages, built and tried.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    build, component, process,
    project::{Project, write_if_changed},
    setup::{self, Need},
    toolchain::{Target, Toolchain},
};

pub const HELP: &str = "\
Usage: cargo xtask moderators [LANGUAGE]...

Builds the example moderators of components/moderators into target/moderators, all or some of rust,
javascript and python, and has each judge the cases beside them in the host's sandbox.
docs/moderators.md is the guide to one of your own.
";

const FOLDER: &str = "components/moderators";
const WIT: &str = "components/wit/moderation";
const WORLD: &str = "moderation";
/// The one in Rust.
pub const PACKAGE: &str = "clustertalk-moderator-example";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Rust,
    JavaScript,
    Python,
}

impl Language {
    pub const ALL: [Self; 3] = [Self::Rust, Self::JavaScript, Self::Python];

    fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::JavaScript => "javascript",
            Self::Python => "python",
        }
    }

    fn need(self) -> Need {
        match self {
            Self::Rust => Need::Target(Target::Unknown),
            Self::JavaScript => Need::ModeratorPackages,
            Self::Python => Need::Python,
        }
    }
}

/// What building all of them needs.
pub const NEEDS: &[Need] = &[
    Need::Target(Target::Unknown),
    Need::ModeratorPackages,
    Need::Python,
];

pub fn run(project: &Project, names: &[String]) -> Result<()> {
    let find = |name: &String| {
        let mut all = Language::ALL.into_iter();
        let found = all.find(|language| language.name() == name);
        found.with_context(|| format!("no language `{name}`: rust, javascript or python"))
    };
    let languages: Vec<Language> = match names {
        [] => Language::ALL.to_vec(),
        names => names.iter().map(find).collect::<Result<_>>()?,
    };
    let needs: Vec<Need> = languages.iter().map(|language| language.need()).collect();
    setup::ensure(project, &needs)?;
    build::run(project, &[])?;
    for language in languages {
        try_out(project, language)?;
        process::say(
            "Passed",
            &format!("the cases of {FOLDER}, in {}", language.name()),
        );
    }
    Ok(())
}

/// Builds one, and has it judge the cases.
pub fn try_out(project: &Project, language: Language) -> Result<()> {
    let folder = project.path("target/moderators").join(language.name());
    fs::create_dir_all(&folder)?;
    let component = folder.join("moderator.wasm");
    build(project, language, &component)?;
    let imports = component::imports(&fs::read(&component)?)?;
    ensure!(
        imports.is_empty(),
        "a moderator imports nothing, and that in {} imports {}",
        language.name(),
        imports.join(", ")
    );
    let manifest = manifest(project, &folder, &component)?;
    let cases = fs::read_to_string(project.path(FOLDER).join("cases.json"))?;
    let cases: Vec<Value> = serde_json::from_str(&cases).context("cases.json")?;
    let answers = judge(project, &manifest, &cases)?;
    for (case, answer) in cases.iter().zip(&answers) {
        let scores = answer["scores"].as_object();
        let label = scores.and_then(|scores| scores.keys().next());
        ensure!(
            answer["action"] == case["action"]
                && label.map(String::as_str) == case["label"].as_str(),
            "{} makes {answer} of {case}",
            language.name()
        );
    }
    ensure!(
        answers.len() == cases.len(),
        "{} cases, {} answers",
        cases.len(),
        answers.len()
    );
    Ok(())
}

fn build(project: &Project, language: Language, component: &Path) -> Result<()> {
    let source = project.path(FOLDER).join(language.name());
    let wit = project.path(WIT);
    match language {
        Language::Rust => {
            let target = Target::Unknown;
            let toolchain = Toolchain::find(project, target).context("no compiler for wasm")?;
            let mut command = toolchain.cargo(project, target, "rustc")?;
            command.args(["--package", PACKAGE, "--lib", "--crate-type", "cdylib"]);
            process::run(&mut command)?;
            let module = project.guest_target().join(target.name()).join("release");
            let module = module.join(format!("{}.wasm", PACKAGE.replace('-', "_")));
            write_if_changed(component, &component::pure_component(&module)?)?;
            Ok(())
        }
        Language::JavaScript => quietly(
            Command::new(source.join("node_modules/.bin/componentize-qjs"))
                .arg("--wit")
                .arg(wit)
                .args(["--world", WORLD, "--js", "moderator.js", "--sync"])
                .args(["--stub-wasi", "-o"])
                .arg(component)
                .current_dir(source),
        ),
        Language::Python => {
            let requirements = source.join("requirements.txt");
            let program = setup::python_program(project, "componentize-py", &requirements)?;
            quietly(
                Command::new(program)
                    .arg("-d")
                    .arg(wit)
                    .args([
                        "-w",
                        WORLD,
                        "componentize",
                        "--stub-wasi",
                        "moderator",
                        "-o",
                    ])
                    .arg(component)
                    .current_dir(source),
            )
        }
    }
}

/// Its words are of interest only if it fails.
fn quietly(command: &mut Command) -> Result<()> {
    process::output(command).map(drop)
}

/// The application with another moderator, and the memory and time that an interpreter needs.
fn manifest(project: &Project, folder: &Path, component: &Path) -> Result<PathBuf> {
    let components = project.path("target/components");
    let text = fs::read_to_string(project.path("spin.toml"))?;
    let text = text
        .replace(
            "target/components/moderation.wasm",
            &component.display().to_string(),
        )
        .replace("target/components/", &format!("{}/", components.display()))
        .replace("memory_bytes = 8_388_608", "memory_bytes = 33_554_432")
        .replace("deadline_ms = 5\n", "deadline_ms = 100\n");
    let path = folder.join("spin.toml");
    write_if_changed(&path, text.as_bytes())?;
    Ok(path)
}

fn judge(project: &Project, manifest: &Path, cases: &[Value]) -> Result<Vec<Value>> {
    let mut child = Command::new(project.host_binary())
        .args(["policy", "score", "--jsonl", "--manifest"])
        .arg(manifest)
        .arg("--data")
        .arg(project.path("target/moderators/data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = Vec::new();
    for (id, case) in cases.iter().enumerate() {
        writeln!(lines, "{}", json!({ "id": id, "text": case["text"] }))?;
    }
    let mut input = child.stdin.take().context("it is piped")?;
    input.write_all(&lines)?;
    drop(input);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("`clustertalk policy score` failed");
    }
    let answers = String::from_utf8(output.stdout)?;
    let answers = answers.lines().map(serde_json::from_str);
    answers.collect::<Result<_, _>>().context("an answer")
}
