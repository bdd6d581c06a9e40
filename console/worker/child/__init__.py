"""Code that runs inside the children; Python 3.9, and nothing of the console's own process."""
