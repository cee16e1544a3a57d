"""Logs for mail people: `mail_log` names the events, `setup` says where they go."""
