"""Signed tokens (JWT, RFC 7519) of an identity provider, in the place of API keys."""
