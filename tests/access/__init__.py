"""Who may do what, and who asks."""
