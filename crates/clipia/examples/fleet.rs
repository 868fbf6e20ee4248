//! Many generations at once on one key: they share the request budget of one client, and none is lost.

use clipia::{Clipia, json};
use futures_util::future::join_all;

const PICTURES: u32 = 20;

#[tokio::main]
async fn main() -> Result<(), clipia::Error> {
    let clipia = Clipia::from_env()?;
    let pictures = (1..=PICTURES).map(|seed| {
        let input = json!({ "prompt": "a red fox in snow", "resolution": "0.5K", "seed": seed });
        clipia.subscribe("nano-banana-2", input).into_future()
    });

    let mut made = 0;
    for ended in join_all(pictures).await {
        // A failure of one generation must not lose the others.
        match ended.and_then(|outcome| outcome.completed()) {
            Ok(picture) => {
                made += 1;
                println!("{}", picture.id());
            }
            Err(error) => eprintln!("error: {error}"),
        }
    }
    println!("{made} of {PICTURES} made");
    Ok(())
}
