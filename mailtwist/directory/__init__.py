"""Who exists: domains and accounts, whatever source they come from."""
