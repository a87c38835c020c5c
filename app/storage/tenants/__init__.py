"""Tenants and API keys in a database: secrets encrypted, looked up as needed, the same in every replica.

`repository.py` is what administers them, `store.py` what requests look them up in. Every change writes its number into
`tenant_changes` in the same transaction; stores look for new numbers several times a second.
"""
