//! The example of the README: submit, wait, download.

use clipia::{Clipia, json};

#[tokio::main]
async fn main() -> Result<(), clipia::Error> {
    let clipia = Clipia::from_env()?;
    let fox = clipia.submit("nano-banana-2", json!({ "prompt": "a red fox in snow" })).await?;
    println!("{} costs {} credits", fox.id(), fox.cost().unwrap_or_default());
    let picture = fox.wait().await?.completed()?;
    println!("{:?}", picture.download("out").await?);
    Ok(())
}
