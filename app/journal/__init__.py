"""The durable journal of sends: what was about to go out, and what became of it."""
