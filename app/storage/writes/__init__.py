"""What must be remembered of writes: the journal of sends, idempotency keys with their answers, and leases."""
