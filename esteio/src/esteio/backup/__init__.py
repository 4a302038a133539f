"""Backups that have been restored before they are believed."""
