//! Webhooks: an axum application receives the deliveries, which end the wait without a poll.
//!
//! Set `CLIPIA_WEBHOOK_SECRET` to the account's secret. The server must reach this program: `clipia serve
//! --dev` on the same machine does. For Clipia itself replace the local URL by your public https
//! URL.

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
