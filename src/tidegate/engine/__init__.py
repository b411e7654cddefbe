"""What drives every station: the ports, queue, backoff, triggers, Outcome, events, the SQLite store."""
