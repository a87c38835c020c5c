"""The read cache: answers of one tenant that no other can see, that go stale gracefully and never outlive a write."""
