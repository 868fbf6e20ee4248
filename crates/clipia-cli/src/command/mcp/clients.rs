//! Clients of tools: where each keeps its configuration, and in which form.

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// A client of tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    /// Claude Code, for the project in the working directory: `.mcp.json`
    ClaudeCode,
    /// Claude Desktop: `claude_desktop_config.json`
    ClaudeDesktop,
    /// Cursor: `~/.cursor/mcp.json`
    Cursor,
    /// VS Code: `mcp.json` of the user
    Vscode,
    /// Codex: `~/.codex/config.toml`
    Codex,
    /// Gemini CLI: `~/.gemini/settings.json`
    Gemini,
}

/// The form of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// JSON, with comments in some clients. The entries are under this key.
    Json(&'static str),
    /// TOML. The entries are tables below this one.
    Toml(&'static str),
}

/// What a client is to start.
pub(crate) struct Start {
    /// The path of this program.
    pub(crate) program: String,
    /// The server to call, if it is not the vendor's.
    pub(crate) base_url: Option<String>,
    /// The environment variable that holds the key.
    pub(crate) variable: &'static str,
}

impl Client {
    /// The file that the client reads.
    pub(crate) fn file(self) -> anyhow::Result<PathBuf> {
        Ok(match self {
            Self::ClaudeCode => PathBuf::from(".mcp.json"),
            Self::ClaudeDesktop => settings()?.join("Claude").join("claude_desktop_config.json"),
            Self::Cursor => home()?.join(".cursor").join("mcp.json"),
            Self::Vscode => settings()?.join("Code").join("User").join("mcp.json"),
            Self::Codex => match set("CODEX_HOME") {
                Some(directory) => directory.join("config.toml"),
                None => home()?.join(".codex").join("config.toml"),
            },
            Self::Gemini => home()?.join(".gemini").join("settings.json"),
        })
    }

    pub(crate) fn form(self) -> Form {
        match self {
            Self::Vscode => Form::Json("servers"),
            Self::Codex => Form::Toml("mcp_servers"),
            _ => Form::Json("mcpServers"),
        }
    }

    /// The entry: a command, and where it reads the key. The key itself is never in it.
    pub(crate) fn entry(self, start: &Start) -> Map<String, Value> {
        let mut arguments = vec!["mcp"];
        if let Some(url) = &start.base_url {
            arguments.extend(["--base-url", url]);
        }
        // The file of a project is shared: on another machine this program has another path.
        let command = if self == Self::ClaudeCode { "clipia" } else { &start.program };
        let mut entry = Map::new();
        if matches!(self, Self::ClaudeCode | Self::Cursor | Self::Vscode) {
            entry.insert("type".to_owned(), "stdio".into());
        }
        entry.insert("command".to_owned(), command.into());
        entry.insert("args".to_owned(), arguments.into());
        let variable = start.variable;
        let reference = match self {
            // Without a default, a variable that is not set is passed on as this very text.
            Self::ClaudeCode => format!("${{{variable}:-}}"),
            Self::Cursor | Self::Vscode => format!("${{env:{variable}}}"),
            Self::Gemini => format!("${variable}"),
            Self::Codex => {
                entry.insert("env_vars".to_owned(), json!([variable]));
                return entry;
            }
            // It passes on its own environment, and puts in no variables.
            Self::ClaudeDesktop => return entry,
        };
        entry.insert("env".to_owned(), json!({ variable: reference }));
        entry
    }
}

/// The value of an environment variable that names a directory.
fn set(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn home() -> anyhow::Result<PathBuf> {
    std::env::home_dir()
        .filter(|home| !home.as_os_str().is_empty())
        .context("the user has no home directory: set HOME")
}

/// The directory in which programs of the desktop keep their settings.
fn settings() -> anyhow::Result<PathBuf> {
    if cfg!(target_os = "macos") {
        return Ok(home()?.join("Library").join("Application Support"));
    }
    if cfg!(windows) {
        match set("APPDATA") {
            Some(directory) => return Ok(directory),
            None => bail!("the environment has no APPDATA"),
        }
    }
    Ok(match set("XDG_CONFIG_HOME") {
        Some(directory) => directory,
        None => home()?.join(".config"),
    })
}
