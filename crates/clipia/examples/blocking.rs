//! The blocking client: the same names, with `run` in place of `.await`.

use clipia::blocking::Clipia;
use clipia::json;
use std::thread;

fn main() -> Result<(), clipia::Error> {
    let clipia = Clipia::from_env()?;
    let draw = |prompt: &str| {
        let input = json!({ "prompt": prompt, "resolution": "0.5K" });
        clipia.subscribe("nano-banana-2", input).run()?.completed()?.download("out").run()
    };
    // Threads share one client, as tasks do.
    thread::scope(|scope| {
        let drawing = ["a red fox in snow", "waves at dusk"].map(|prompt| scope.spawn(move || draw(prompt)));
        for thread in drawing {
            match thread.join() {
                Ok(saved) => println!("saved {:?}", saved?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(())
    })
}
