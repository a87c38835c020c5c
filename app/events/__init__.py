"""Events: watching what the platform tells nobody, and delivering to webhooks."""
