//! `clipia completions` and `clipia man`.

use crate::arguments::Arguments;
use crate::output;
use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::PathBuf;

/// Prints the completions of a shell
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia completions bash > ~/.local/share/bash-completion/completions/clipia
  clipia completions zsh > ~/.zfunc/_clipia
  clipia completions fish > ~/.config/fish/completions/clipia.fish")]
pub(crate) struct Completions {
    shell: Shell,
}

/// Writes the manual pages, one for each command
#[derive(Args)]
#[command(after_help = "Examples:\n  clipia man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// The directory to write them to
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(crate) fn print(Completions { shell }: Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "clipia", &mut script);
    output::print(&String::from_utf8(script).context("the completions are no text")?)
}

pub(crate) fn man(Man { directory }: Man) -> anyhow::Result<()> {
    let write = || {
        std::fs::create_dir_all(&directory)?;
        clap_mangen::generate_to(Arguments::command(), &directory)
    };
    write().with_context(|| format!("writing the manual pages to `{}`", directory.display()))
}
