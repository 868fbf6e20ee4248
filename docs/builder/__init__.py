"""Builds the site: stages the pages of `docs`, writes the reference, and runs Zensical over both."""
