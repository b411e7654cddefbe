"""Regular expressions with the syntax and the meaning of Go's regexp (RE2): matching takes linear time. Pure."""
