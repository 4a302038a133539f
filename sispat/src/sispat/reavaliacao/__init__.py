"""Revaluation, impairment and revision of useful lives by a commission's report."""
