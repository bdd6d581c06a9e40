"""Access control: who may do what, what is admitted, and what recipes may ask for."""
