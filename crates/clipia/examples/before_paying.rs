//! Before paying: check an input, estimate its price, and submit it only below a price.

use clipia::{Clipia, Error, json};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clipia = Clipia::from_env()?;
    println!("{} credits in the account", clipia.account().await?.balance.credits);

    let slip = json!({ "prompt": "a red fox in snow", "aspect_ratio": "17:9", "sed": 7 });
    match clipia.check("nano-banana-2", &slip).await {
        Err(Error::Input(wrong)) => {
            wrong.faults().iter().for_each(|fault| println!("wrong: {fault}"));
            wrong.warnings().iter().for_each(|warning| println!("ignored: {}", warning.message));
        }
        other => println!("{} warnings", other?.len()),
    }

    let input = json!({ "prompt": "a red fox in snow", "resolution": "2K" });
    println!("it would cost {} credits", clipia.estimate("nano-banana-2", &input).await?.credits);
    match clipia.submit("nano-banana-2", &input).max_cost(20).await {
        Err(Error::MaxCost { estimate, max_cost, .. }) => {
            println!("{estimate} is over {max_cost}: not submitted")
        }
        submitted => println!("{} is submitted", submitted?.id()),
    }
    Ok(())
}
