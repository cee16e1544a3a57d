"""Sources of passwords and keys."""
