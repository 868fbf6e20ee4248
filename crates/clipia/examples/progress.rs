//! Updates of a clip: its queue position, then its progress in percent.

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
            Status::InQueue => println!("in queue, {} ahead", update.queue_position.unwrap_or_default()),
            Status::InProgress => println!("{} % done", update.progress.map_or(0, |done| done.percent())),
            status => println!("{status}"),
        }
    }
    // The generation has ended: ask for its outcome once.
    let clip = clip.wait().await?.completed()?;
    println!("it cost {} credits", clip.cost().unwrap_or_default());
    Ok(())
}
