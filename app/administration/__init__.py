"""Tenants and keys for the gateway's operators, over REST: `/admin/v1/tenants…`."""

from app.administration.keys import router as keys
from app.administration.tenants import router as tenants

ROUTERS = (tenants, keys)
"""The routers, in the order the documentation shows them."""
