"""The GitHub door: GitHub's REST API for workflow runs, and the few GraphQL questions that `gh` asks before it."""
