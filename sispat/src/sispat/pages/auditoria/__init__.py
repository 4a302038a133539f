"""The audit, readable."""
