//! clipia-queue
