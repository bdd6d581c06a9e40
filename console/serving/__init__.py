"""Serving: loaded models, their replicas, inference and failures."""
