"""From configuration to running sockets; the only room that builds across rooms."""
