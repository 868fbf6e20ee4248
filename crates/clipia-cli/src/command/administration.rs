//! Calls to the administration of a server that runs on this machine.

use crate::exit::Hint;
use anyhow::{Context, bail};
use clipia_server::admin::Access;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// The administration of the server that runs on a data directory.
pub(crate) struct Administration {
    access: Access,
    http: reqwest::Client,
}

impl Administration {
    /// That of the server on `data`.
    pub(crate) fn of(data: &Path) -> anyhow::Result<Self> {
        let access = Access::read(data)
            .with_context(|| format!("no server runs on `{}`", data.display()))
            .context(Hint::new("start one with `clipia serve`, or name its directory with `--data`"))?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { access, http })
    }

    /// Calls it with `body` and reads its answer.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> anyhow::Result<T> {
        let mut request =
            self.http.request(method, format!("{}{path}", self.access.url)).bearer_auth(&self.access.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response =
            request.send().await.context(Hint::new("the server may have ended: start it again"))?;
        if !response.status().is_success() {
            let refusal: serde_json::Value = response.json().await?;
            bail!("{}", refusal["error"]["message"].as_str().unwrap_or("the server refused"));
        }
        Ok(response.json().await?)
    }
}
