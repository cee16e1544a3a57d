"""Maildir with state and cache beside it."""
