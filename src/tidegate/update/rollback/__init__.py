"""Takes an update back whose workload does not become ready, and says why."""
