"""Limits of how often something may be done, and what is told of them in headers."""
