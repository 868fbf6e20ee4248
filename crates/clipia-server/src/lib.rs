//! clipia-server
