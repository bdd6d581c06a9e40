"""Tests of the surface that clients see."""
