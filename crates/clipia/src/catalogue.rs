//! The catalogue: models, checks of inputs against their parameters, and prices.

use crate::call::call;
use crate::client::Clipia;
use crate::error::{Error, InputError};
use crate::json_object::object;
use crate::path_segment::check_slug;
use crate::request::Operation;
use clipia_api::input;
use clipia_api::per_call::{PerCall, around};
use clipia_api::types::{EstimateRequest, EstimateResponse, InputWarning, Model};
use serde::Serialize;
use std::sync::Arc;

impl Clipia {
    /// Every model of the catalogue, at most five minutes old: clones share a cache, and simultaneous callers share one
    /// call.
    ///
    /// # Errors
    /// As every call: refusals of the key, and failures that remain after all retries.
    pub async fn models(&self) -> Result<Vec<Model>, Error> {
        let list =
            self.0.catalogue.list.get((), || {
                let scheduler = Arc::clone(&self.0.scheduler);
                async move {
                    Ok(call(&scheduler, Operation::named("models"), |api| api.list_models()).await?.data)
                }
            });
        Ok(list.await?.to_vec())
    }

    /// One model, with its price and its parameters; cached as [`models`](Self::models).
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] if the catalogue has no model with this slug.
    pub async fn model(&self, slug: &str) -> Result<Model, Error> {
        Ok(Model::clone(&*self.cached_model(slug).await?))
    }

    async fn cached_model(&self, slug: &str) -> Result<Arc<Model>, Error> {
        let slug = check_slug(slug)?;
        let model =
            self.0.catalogue.models.get(slug.to_owned(), || {
                let (scheduler, slug) = (Arc::clone(&self.0.scheduler), slug.to_owned());
                async move {
                    call(&scheduler, Operation::of_model("model", &slug), |api| api.get_model(&slug)).await
                }
            });
        model.await
    }

    /// Checks an input against the parameters of its model, before anything is reserved or paid. Returns a warning for
    /// each key that the model does not know, most often a misspelt one.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), clipia::Error> {
    /// use clipia::{Clipia, Error, json};
    ///
    /// let clipia = Clipia::from_env()?;
    /// let input = json!({ "prompt": "a red fox in snow", "aspect_ratio": "17:9", "sed": 7 });
    /// match clipia.check("nano-banana-2", &input).await {
    ///     // `sed` is not a parameter of nano-banana-2 and is ignored; did you mean `seed`?
    ///     Ok(warnings) => warnings.iter().for_each(|warning| eprintln!("{}", warning.message)),
    ///     // `aspect_ratio` must be one of 1:1, 16:9, 9:16; got "17:9"
    ///     Err(Error::Input(wrong)) => wrong.faults().iter().for_each(|fault| eprintln!("{fault}")),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// It takes one call in five minutes for each model, as [`model`](Self::model). A fault that the catalogue cannot
    /// show, such as an image that cannot be fetched, is only found when the generation is submitted.
    ///
    /// # Errors
    /// [`Error::Input`] with a message for each fault, [`Error::ModelNotFound`] if the catalogue has no such
    /// model.
    pub async fn check(&self, model: &str, input: impl Serialize) -> Result<Vec<InputWarning>, Error> {
        let input = object(input)?;
        let model = self.cached_model(model).await?;
        let (faults, warnings) = (input::faults(&model, &input), input::warnings(&model, &input, []));
        if faults.is_empty() {
            return Ok(warnings);
        }
        Err(Error::Input(Box::new(InputError::of_model(model.slug.clone(), faults, warnings))))
    }

    /// The exact price of an input, in credits. Nothing is reserved. The price is never cached.
    ///
    /// To submit only below a price, see [`Submit::max_cost`](crate::Submit::max_cost).
    ///
    /// # Errors
    /// The refusals of a submit of the same input, except for missing credits.
    pub async fn estimate(&self, model: &str, input: impl Serialize) -> Result<EstimateResponse, Error> {
        self.price(model, &EstimateRequest { input: object(input)? }, None).await
    }

    pub(crate) async fn price(
        &self,
        model: &str,
        body: &EstimateRequest,
        options: Option<Arc<PerCall>>,
    ) -> Result<EstimateResponse, Error> {
        let model = check_slug(model)?;
        let operation = Operation::of_model("estimate", model);
        call(&self.0.scheduler, operation, |api| around(options.clone(), api.estimate(model, body))).await
    }
}
