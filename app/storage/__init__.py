"""Databases and the shared store: what must survive a crash, and what may be lost."""
