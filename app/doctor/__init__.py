"""Looking an account over: every read of a tenant's real account, one at a time, and what did not decode."""
