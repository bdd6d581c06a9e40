"""Measurements. They print figures and never assert on time."""
