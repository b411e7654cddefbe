"""Opens a pull request for what an automation has pushed to a branch of its own, or brings the open one up to date."""
