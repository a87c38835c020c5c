"""Tenants and keys for the gateway's operators, over REST: `/admin/v1/tenants…`."""

from app.admin.keys import router as keys
from app.admin.tenants import router as tenants

ROUTERS = (tenants, keys)
"""The routers, in the order the documentation shows them."""
