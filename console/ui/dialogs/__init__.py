"""What asks and is answered: over the screen it was called from, and gone after the answer."""
