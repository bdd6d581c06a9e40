"""A distribution whose format cannot be imported."""

raise RuntimeError("made for\nanother version")
