"""Lookup tables: `[[table]]` of the configuration, each an ITable.

Text files and inline entries are held in memory and reread when the file changed;
databases and directories are asked in threads of their own and remembered for a short
time.  Whatever goes wrong is LookupFailed, a temporary fault: a table that cannot be
asked never says that there is no such address.
"""
