"""ImageUpdateAutomation: what the policies selected is written into Git, one scalar at a time."""
