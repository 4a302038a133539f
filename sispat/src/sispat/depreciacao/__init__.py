"""Depreciation: what assets lose of their value month by month, and the closing of months."""
