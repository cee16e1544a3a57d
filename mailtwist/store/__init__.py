"""Where mail lies: implementations of `mailbox.interfaces.IStore`."""
