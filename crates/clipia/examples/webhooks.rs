//! Webhooks: an axum application takes the deliveries, and a wait ends with one instead of asking.
//!
//! Set `CLIPIA_WEBHOOK_SECRET` to the account's secret. The server must reach this program: `clipia serve
//! --dev` on the same machine does; for Clipia itself put your public https address in place of the local
//! one.

use axum::Router;
use clipia::{Clipia, json};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clipia = Clipia::from_env()?;
    let webhooks = clipia.webhooks(std::env::var("CLIPIA_WEBHOOK_SECRET")?)?;
    let app = Router::new().route("/clipia", webhooks.into_route());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}/clipia", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });

    let input = json!({ "prompt": "a red fox in snow", "resolution": "0.5K" });
    let fox = clipia.submit("nano-banana-2", input).webhook(address).await?;
    let picture = fox.wait().await?.completed()?;
    println!("{} is done", picture.id());
    Ok(())
}
