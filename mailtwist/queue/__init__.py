"""Mail that waits: what was accepted and has its recipients elsewhere."""
