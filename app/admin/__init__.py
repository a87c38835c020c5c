"""Tenants and keys for the gateway's operators, over REST: `/admin/v1/tenants…`."""

from app.admin.tenants import keys_router, tenants_router

ROUTERS = (tenants_router, keys_router)
"""The routers, in the order the documentation shows them."""
