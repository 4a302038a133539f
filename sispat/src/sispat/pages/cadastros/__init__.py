"""Setores, locais, agentes, classes: one set of screens, described four times."""
