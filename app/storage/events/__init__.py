"""Events: their log, what is watched for them, and webhooks with their deliveries; steps of transactions."""
