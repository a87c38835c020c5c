"""What keeps calls to the platform safe and fair: caching, retries, breakers, bulkheads, limits, idempotency."""
