"""Screens and widgets: the only room that knows textual."""
