"""Go's text/template, as much as commit messages need: read, run within bounds, in this process, touching nothing."""
