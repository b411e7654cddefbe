"""Workloads on one machine: Deployments and Services as processes of this machine, from their images' file systems."""
