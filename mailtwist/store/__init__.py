"""Where mail lies: implementations of `interfaces.IStore`."""
