"""One module a rule: `RULE`, and `check`, which yields what it finds. Pure."""
