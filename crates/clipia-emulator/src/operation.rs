//! The operations of the API, as a method and a path name them.

use clipia_queue::RequestId;
use clipia_queue::media_address::PATH as MEDIA;
use http::Method;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

/// An operation of the API.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Operation {
    /// `POST /v1/models/{model}`
    Submit,
    /// `GET /v1/requests/{request_id}/status`
    Status,
    /// `GET /v1/requests/{request_id}`
    Result,
    /// `GET /v1/models` and `GET /v1/models/{model}`
    Models,
    /// `POST /v1/models/{model}/estimate`
    Estimate,
    /// `GET /v1/account`
    Account,
    /// `POST /v1/uploads`
    Upload,
    /// `GET /media/{file}`
    Media,
}

/// What a call names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The operation; none of a path that the API does not have.
    pub operation: Option<Operation>,
    /// The route: the path with names in place of what it names. It has no secret.
    pub route: &'static str,
    /// The model.
    pub model: Option<String>,
    /// The request.
    pub request: Option<RequestId>,
}

impl Called {
    /// What a method and a path name.
    ///
    /// ```
    /// use clipia_emulator::{Called, Operation};
    /// use http::Method;
    ///
    /// let called = Called::of(&Method::POST, "/v1/models/nano-banana-2");
    /// assert_eq!(called.operation, Some(Operation::Submit));
    /// assert_eq!(called.model.as_deref(), Some("nano-banana-2"));
    /// ```
    pub fn of(method: &Method, path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let read = *method == Method::GET || *method == Method::HEAD;
        let written = *method == Method::POST;
        let called =
            |operation, route| Self { operation: Some(operation), route, model: None, request: None };
        match segments[..] {
            ["v1", "models"] if read => called(Operation::Models, "/v1/models"),
            ["v1", "models", model] if read || written => {
                let operation = if written { Operation::Submit } else { Operation::Models };
                Self { model: Some(model.to_owned()), ..called(operation, "/v1/models/{model}") }
            }
            ["v1", "models", model, "estimate"] if written => {
                let model = Some(model.to_owned());
                Self { model, ..called(Operation::Estimate, "/v1/models/{model}/estimate") }
            }
            ["v1", "requests", id] if read => {
                Self { request: id.parse().ok(), ..called(Operation::Result, "/v1/requests/{request_id}") }
            }
            ["v1", "requests", id, "status"] if read => {
                let request = id.parse().ok();
                Self { request, ..called(Operation::Status, "/v1/requests/{request_id}/status") }
            }
            ["v1", "account"] if read => called(Operation::Account, "/v1/account"),
            ["v1", "uploads"] if written => called(Operation::Upload, "/v1/uploads"),
            [first, _] if read && MEDIA.strip_prefix('/') == Some(first) => {
                called(Operation::Media, "/media/{file}")
            }
            _ => Self { operation: None, route: "none", model: None, request: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_is_an_operation() {
        let id = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";
        for (method, path, operation) in [
            (Method::POST, "/v1/models/m", Some(Operation::Submit)),
            (Method::GET, "/v1/models/m", Some(Operation::Models)),
            (Method::GET, "/v1/models", Some(Operation::Models)),
            (Method::POST, "/v1/models/m/estimate", Some(Operation::Estimate)),
            (Method::GET, &format!("/v1/requests/{id}"), Some(Operation::Result)),
            (Method::GET, &format!("/v1/requests/{id}/status"), Some(Operation::Status)),
            (Method::GET, "/v1/account", Some(Operation::Account)),
            (Method::POST, "/v1/uploads", Some(Operation::Upload)),
            (Method::GET, "/media/secret.png", Some(Operation::Media)),
            (Method::DELETE, "/v1/models/m", None),
            (Method::GET, "/v1/models/m/estimate", None),
            (Method::GET, "/v2/models", None),
            (Method::GET, "/", None),
            (Method::GET, "", None),
        ] {
            let called = Called::of(&method, path);
            assert_eq!(called.operation, operation, "{method} {path}");
            assert_eq!(called.request.is_some(), path.contains(id));
            assert!(!called.route.contains("secret"));
        }
    }
}
