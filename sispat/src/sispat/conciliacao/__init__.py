"""Reconciliation: the balances of a closed month beside those that accounting has."""
