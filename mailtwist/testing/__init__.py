"""The mail server inside a test."""
