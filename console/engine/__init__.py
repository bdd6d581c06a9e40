"""One store, opened: the surface that clients see, the rooms behind it, and what a client keeps of it."""
