"""model-console: the operations console for machine-learning models in the terminal."""

__version__ = "0.1.0"
