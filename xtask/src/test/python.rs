//! The steps of the Python package: a virtual environment, the wheel in it, and its checks.

use super::schemathesis;
use super::step::{Step, succeed};
use super::tally::Runner;
use super::{program, target};
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory of the package, below the root.
const PACKAGE: &str = "bindings/python";

/// The name of the module, and its directory in the package.
const MODULE: &str = "clipia_queue";
const SOURCE: &str = "python/clipia_queue";

/// The Python programs of `cargo xtask bench python`, relative to the package.
const BENCH: &str = "../../xtask/src/bench/python";

/// The tests of the dashboard's pages, relative to the package.
const PAGES: &str = "../../tests/pages";

/// What builds the site, and the tests of its pages, relative to the package.
const BUILDER: &str = "../../docs/builder";
const DOCS: &str = "../../tests/docs";

/// The scripts that make packages, and their tests, relative to the package.
const PACKAGING: &str = "../../packaging";
const PACKAGING_TESTS: &str = "../../tests/packaging";

/// The directories of these steps. Nothing is written outside the target directory.
#[derive(Clone)]
struct Places {
    package: PathBuf,
    environment: PathBuf,
    wheels: PathBuf,
    /// The library that the build step has made of the package.
    library: PathBuf,
}

/// The step that makes the environment.
pub(super) fn environment(root: &Path) -> Step {
    let places = Places::of(root);
    Step::check("environment for Python", move || places.prepare())
}

/// The step that tests the pages of the dashboard in a browser.
pub(super) fn pages(root: &Path) -> Step {
    let mut pytest = Places::of(root).tool("pytest", &["--color=no", "--config-file", "pages.ini", "."]);
    pytest.current_dir(root.join("tests/pages")).env("CLIPIA_TEST_PROGRAM", program(root));
    pytest.env("CLIPIA_TEST_PAGES", target(root).join("pages"));
    Step::counted("pages in a browser", pytest, Runner::Pytest)
}

/// The steps that make the environment and install the package in it.
pub(super) fn package(root: &Path) -> Vec<Step> {
    let places = Places::of(root);
    vec![environment(root), Step::check("wheel", move || places.install())]
}

/// The step that builds the site. A warning or a wrong link fails it.
pub(super) fn site(root: &Path) -> Step {
    let mut builder = Places::of(root).tool("python", &["-m", "builder"]);
    builder.arg(target(root).join("site")).current_dir(root.join("docs"));
    builder.env("CLIPIA_TEST_PROGRAM", program(root));
    Step::command("site", builder)
}

/// The steps of the site: it is built, it is whole, and every block of its pages runs.
pub(super) fn docs(root: &Path) -> Vec<Step> {
    let processes = (2 * super::cores()).to_string();
    let arguments = ["--color=no", "--config-file", "docs.ini", "-n", &processes, "--dist", "worksteal", "."];
    let mut pytest = Places::of(root).tool("pytest", &arguments);
    pytest.current_dir(root.join("tests/docs")).env("CLIPIA_TEST_PROGRAM", program(root));
    pytest.env("CLIPIA_TEST_SITE", target(root).join("site"));
    vec![site(root), Step::counted("pages of the docs", pytest, Runner::Pytest)]
}

/// The step that tests what users install: the image, the archives, the npm packages, the compose files.
fn packaging(root: &Path) -> Step {
    let mut pytest = Places::of(root).tool("pytest", &["--color=no", "--config-file", "packaging.ini", "."]);
    pytest.current_dir(root.join("tests/packaging")).env("CLIPIA_TEST_PROGRAM", program(root));
    Step::counted("packages", pytest, Runner::Pytest)
}

pub(super) fn steps(root: &Path) -> Vec<Step> {
    let places = Places::of(root);
    let tool = |name, arguments: &[&str]| places.tool(name, arguments);
    // Most tests wait for a server, a clock or a peer: more processes than cores have always one that does not.
    let processes = (2 * super::cores()).to_string();
    let mut pytest = tool("pytest", &["--color=no", "-n", &processes, "--dist", "worksteal"]);
    pytest.env("CLIPIA_TEST_PROGRAM", program(root));
    let ruff = |arguments: &[&str]| {
        let mut ruff = tool("ruff", arguments);
        ruff.args([".", BENCH, PAGES, BUILDER, DOCS, PACKAGING, PACKAGING_TESTS]);
        ruff
    };
    let stubtest = tool("python", &["-m", "mypy.stubtest", MODULE]);
    let checks = vec![
        Step::counted("tests in Python", pytest, Runner::Pytest),
        Step::command("ruff check", ruff(&["check"])),
        Step::command("ruff format", ruff(&["format", "--check"])),
        Step::command("types", tool("mypy", &["--strict", SOURCE, "tests", "examples"])),
        // Apart, since a program of its own may be called as an example is.
        Step::command("types of the benchmark", tool("mypy", &["--strict", BENCH])),
        Step::command("types of the pages' tests", tool("mypy", &["--strict", PAGES])),
        // The builder of the site needs this version.
        Step::command(
            "types of the docs' tests",
            tool("mypy", &["--strict", "--python-version", "3.11", BUILDER, DOCS]),
        ),
        Step::command("types of the packaging", tool("mypy", &["--strict", PACKAGING, PACKAGING_TESTS])),
        // Pyright, as strict as an editor of a user may be set.
        Step::command("types as editors see them", tool("basedpyright", &[])),
        // Compares the hand-written stubs with the compiled module.
        Step::command("stubs", stubtest),
        schemathesis::step(root, tool("schemathesis", &[])),
        packaging(root),
        pages(root),
    ];
    [package(root), checks, docs(root)].into_iter().flatten().collect()
}

impl Places {
    fn of(root: &Path) -> Self {
        let target = target(root);
        let library =
            format!("{}_clipia_queue{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        Self {
            package: root.join(PACKAGE),
            environment: target.join("venv"),
            library: target.join("debug").join(library),
            wheels: target.join("wheels"),
        }
    }

    /// Makes the environment if it is missing or unusable, and installs the tools that the package names.
    fn prepare(&self) -> Result<()> {
        let tools = development_tools(&self.package.join("pyproject.toml"))?;
        let usable =
            self.tool("python", &["-c", "import pip"]).output().is_ok_and(|run| run.status.success());
        if !usable {
            let mut venv = Command::new("python3");
            succeed(venv.args(["-m", "venv", "--clear"]).arg(&self.environment)).context(
                "a virtual environment needs python3 with its venv module (on Debian: apt-get install python3 python3-venv)",
            )?;
        }
        succeed(&mut self.pip(["--upgrade", "pip"]))?;
        succeed(&mut self.pip(tools))
    }

    /// Makes a wheel of the library that the build step has made, and replaces the installed one. `maturin` itself would build
    /// the workspace again, with other features. The wheel that it builds is tested where wheels are made for each platform.
    fn install(&self) -> Result<()> {
        if self.wheels.exists() {
            std::fs::remove_dir_all(&self.wheels).context("removing the wheels of the last run")?;
        }
        let content = self.wheels.join("content");
        std::fs::create_dir_all(&content)?;
        let mut maturin = self.tool("maturin", &["pep517", "write-dist-info", "--metadata-directory"]);
        succeed(maturin.arg(&content).arg("--interpreter").arg(self.program("python")))?;
        copy(&self.package.join(SOURCE), &content.join(MODULE))?;
        let module = if cfg!(windows) { "_clipia_queue.pyd" } else { "_clipia_queue.abi3.so" };
        std::fs::copy(&self.library, content.join(MODULE).join(module))
            .with_context(|| format!("copying {}", self.library.display()))?;
        let mut pack = self.tool("python", &["-m", "wheel", "pack", "--dest-dir"]);
        succeed(pack.arg(&self.wheels).arg(&content))?;
        std::fs::remove_dir_all(&content)?;
        let wheels = std::fs::read_dir(&self.wheels).context("looking for the wheel")?;
        let wheels = wheels.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
        let [wheel] = wheels.as_slice() else {
            bail!("there are {} wheels in place of one", wheels.len());
        };
        succeed(self.pip(["--force-reinstall", "--no-deps"]).arg(wheel))
    }

    fn pip<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut pip =
            self.tool("python", &["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]);
        pip.args(arguments);
        pip
    }

    /// A program of the environment, as if the environment were activated, in the directory of the package.
    fn tool(&self, name: &str, arguments: &[&str]) -> Command {
        let mut tool = Command::new(self.program(name));
        let binaries = [self.binaries()];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = binaries.into_iter().chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(path) {
            tool.env("PATH", path);
        }
        tool.env("VIRTUAL_ENV", &self.environment).env_remove("PYTHONHOME").env_remove("PYTHONPATH");
        tool.current_dir(&self.package).args(arguments);
        tool
    }

    fn program(&self, name: &str) -> PathBuf {
        self.binaries().join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    fn binaries(&self) -> PathBuf {
        self.environment.join(if cfg!(windows) { "Scripts" } else { "bin" })
    }
}

/// Copies the sources of the package. What Python has compiled of them stays behind.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if name != "__pycache__" {
                copy(&entry.path(), &to.join(name))?;
            }
        } else if entry.path().extension().is_none_or(|extension| extension != "so") {
            std::fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// The group `dev` of `[dependency-groups]` (PEP 735), read here because only newer releases of pip can.
fn development_tools(manifest: &Path) -> Result<Vec<String>> {
    let text =
        std::fs::read_to_string(manifest).with_context(|| format!("reading {}", manifest.display()))?;
    let table: toml::Table = text.parse().with_context(|| format!("parsing {}", manifest.display()))?;
    group(&table, "dev").with_context(|| format!("reading the tools in {}", manifest.display()))
}

/// The tools of a group, with those of the groups that it includes.
fn group(table: &toml::Table, name: &str) -> Result<Vec<String>> {
    let group = table.get("dependency-groups").and_then(|groups| groups.get(name)?.as_array());
    let mut tools = vec![];
    for entry in group.with_context(|| format!("there is no dependency group `{name}`"))? {
        let included = entry.get("include-group").and_then(|included| included.as_str());
        match (entry.as_str(), included) {
            (Some(tool), _) => tools.push(tool.to_owned()),
            (None, Some(included)) if included != name => tools.extend(self::group(table, included)?),
            _ => bail!("a tool of the group `{name}` is neither a string nor another group"),
        }
    }
    Ok(tools)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_tools_that_the_package_names() {
        let directory = tempfile::tempdir().unwrap();
        let manifest = directory.path().join("pyproject.toml");
        for (text, expected) in [
            (
                "[dependency-groups]\ndev = [\"ruff==0.1\", \"pytest>=8\"]",
                Some(vec!["ruff==0.1", "pytest>=8"]),
            ),
            (
                "[dependency-groups]\ntest = [\"pytest==9\"]\ndev = [{ include-group = \"test\" }, \"ruff==0.1\"]",
                Some(vec!["pytest==9", "ruff==0.1"]),
            ),
            ("[dependency-groups]\ndev = [{ include-group = \"test\" }]", None),
            ("[dependency-groups]\ndev = [{ include-group = \"dev\" }]", None),
            ("[dependency-groups]\ndev = [7]", None),
            ("[project]\nname = \"x\"", None),
        ] {
            std::fs::write(&manifest, text).unwrap();
            let found = development_tools(&manifest).ok();
            assert_eq!(found, expected.map(|names| names.into_iter().map(str::to_owned).collect()), "{text}");
        }
    }
}
