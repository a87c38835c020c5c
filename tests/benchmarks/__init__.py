"""Measurements; scripts, not tests."""
