"""Tasks of models: they decide what answers are held against and how."""

from __future__ import annotations

CLASSIFICATION, REGRESSION, CLUSTERING = "classification", "regression", "clustering"
TRANSFORMATION = "transformation"
OUTLIERS = "outlier detection"
DENSITY = "density estimation"
RANKING = "ranking"
