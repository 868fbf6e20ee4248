//! The SDK for the Clipia queue API.
