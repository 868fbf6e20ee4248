//! The search for requests by their text.

use crate::PostgresStore;
use async_trait::async_trait;
use clipia_store::Search;

#[async_trait]
impl Search for PostgresStore {}
