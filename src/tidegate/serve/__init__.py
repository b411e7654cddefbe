"""The doors of one machine: Git hosting, registry, Kubernetes and GitHub conventions, hooks, page."""
