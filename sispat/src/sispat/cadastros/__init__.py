"""Setores, locais, agentes, classes: what assets refer to. One set of screens and actions, described four times."""
