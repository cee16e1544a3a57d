"""The mailtwist command, one file per subcommand."""
