//! The model that was most likely meant, where the server knows none of the name.

use crate::exit::Hint;
use clipia::{Clipia, Error};
use clipia_queue::suggestion::nearest;

/// The result of a call about `model`. If the server has no such model, the error names the one that was most likely meant.
pub(crate) async fn with_suggestion<T>(
    clipia: &Clipia,
    model: &str,
    result: Result<T, Error>,
) -> anyhow::Result<T> {
    let Err(error @ Error::ModelNotFound(_)) = result else { return Ok(result?) };
    let models = clipia.models().await.unwrap_or_default();
    let meant = nearest(models.iter().map(|model| model.slug.as_str()), model);
    let error = anyhow::Error::new(error);
    Err(match meant {
        Some(meant) => {
            error.context(Hint::new(format!("did you mean `{meant}`? `clipia models` lists the models")))
        }
        None => error,
    })
}
