"""Mails that tell people what waits for them."""
