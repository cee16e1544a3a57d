"""What servers of protocols with one command after another share."""
