"""The deploy station: Kustomization: render, apply, prune, health."""
