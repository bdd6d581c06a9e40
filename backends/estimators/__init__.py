"""Fitted Python objects in the manner of scikit-learn, as the formats that hold them run them."""
