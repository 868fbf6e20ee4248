//! The error codes of the contract, each with the HTTP status and the family that it is sent with.
//!
//! ```
//! use clipia_api::error_code::ErrorCode;
//!
//! let code = ErrorCode::from_code("insufficient_credits").unwrap();
//! assert_eq!((code.http_status(), code.family()), (402, "billing_error"));
//! assert!(!code.is_retryable());
//! ```

pub use crate::generated_error_code::ErrorCode;
