"""Dialogs: questions over the screen they were asked from."""
