"""The network outside for sandboxes of one machine: made for a namespace, closed to everything of this machine."""
