//! The account of the key.

use crate::call::call;
use crate::client::Clipia;
use crate::error::Error;
use crate::request::Operation;
use clipia_api::types::Account;

impl Clipia {
    /// The account of the key: its credits and its recent usage.
    ///
    /// # Errors
    /// As every call: refusals of the key, and failures that remain after all retries.
    pub async fn account(&self) -> Result<Account, Error> {
        call(&self.0.scheduler, Operation::named("account"), |api| api.get_account()).await
    }
}
