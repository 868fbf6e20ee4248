//! A clip followed on its way: its place in the queue, then the percent done.

use clipia::{Clipia, Status, json};

#[tokio::main]
async fn main() -> Result<(), clipia::Error> {
    let clipia = Clipia::from_env()?;
    let input = json!({ "prompt": "waves at dusk", "duration": 1, "resolution": "480p" });
    let clip = clipia.submit("seedance-2-fast-t2v", input).await?;

    let mut updates = clip.updates();
    while let Some(update) = updates.next().await {
        let update = update?;
        match update.status {
            Status::InQueue => println!("in line, {} ahead", update.queue_position.unwrap_or_default()),
            Status::InProgress => println!("{} % done", update.progress.map_or(0, |done| done.percent())),
            status => println!("{status}"),
        }
    }
    // It has ended: how it did is asked for once.
    let clip = clip.wait().await?.completed()?;
    println!("it cost {} credits", clip.cost().unwrap_or_default());
    Ok(())
}
