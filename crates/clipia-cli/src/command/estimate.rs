//! `clipia estimate`.

use crate::connection::Connection;
use crate::format::Format;
use crate::input::What;
use crate::suggestion::with_suggestion;
use clap::Args;
use clipia::EstimateResponse;

/// Shows what an input would cost
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia estimate nano-banana-2 -p \"a fox\"
  clipia estimate seedance-2-fast-t2v -p waves --set duration=10")]
pub(crate) struct Options {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let input = options.what.input_to_estimate()?;
    let (clipia, model) = (options.connection.client()?, &options.what.model);
    let price = with_suggestion(&clipia, model, clipia.estimate(model, input).await).await?;
    options.format.print(&price, text)
}

fn text(price: &EstimateResponse) -> String {
    let unit = if price.credits.to_string() == "1" { "credit" } else { "credits" };
    let mut text = format!("{} {unit}\n", price.credits);
    for warning in &price.warnings {
        text += &format!("warning: {}\n", warning.message);
    }
    text
}
