"""The vendors: one row each. What sets a vendor apart is a member of its row or a named quirk on it."""

from __future__ import annotations

from providers.vendors import first, hosted, local
from providers.vendors.row import Vendor, api_key, bearer, usual, x_api_key

VENDORS: dict[str, Vendor] = {row.name: row for row in (*first.ROWS, *hosted.ROWS, *local.ROWS)}

__all__ = ["VENDORS", "Vendor", "api_key", "bearer", "usual", "x_api_key"]
