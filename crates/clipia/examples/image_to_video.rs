//! From image to video: the output of one generation is the input of the next.

use clipia::{Clipia, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clipia = Clipia::from_env()?;
    let input = json!({ "prompt": "a red fox in snow", "resolution": "0.5K", "aspect_ratio": "16:9" });
    let picture = clipia.subscribe("nano-banana-2", input).await?.completed()?;
    // The original, if there is one, is the better first frame.
    let image = picture.output().images.first().ok_or("no image was made")?;

    let input = json!({
        "prompt": "the fox looks up",
        "image_url": image.original_url.as_ref().unwrap_or(&image.url),
        "duration": 1,
        "resolution": "480p",
    });
    let clip = clipia.subscribe("seedance-2-fast-i2v", input).await?.completed()?;
    for path in clip.download("out").await? {
        println!("saved {}", path.display());
    }
    Ok(())
}
