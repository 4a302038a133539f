"""Commissions: who appraises, writes off, registers what was found; named by an act, for a time."""
