"""Recipes: the TOML file beside an artifact."""
