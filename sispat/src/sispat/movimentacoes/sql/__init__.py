"""Movements in the database: one way to list, read and export them all, and what each kind writes.

Promises: a movement leaves as the JSON document PostgreSQL built from its table of fields; every list is filtered by the
reader's setores and walked by key. The rows of assets are locked in the order of their ids, before those of movements
that are made of them and after those that already exist (`transferencias.travar`), so that no two wait for each other.
"""
