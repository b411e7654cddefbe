"""The Kubernetes API's conventions over the Store: what kubectl, flux and our own commands speak."""

from tidegate.serve.kubernetes.door import KubernetesDoor

__all__ = ["KubernetesDoor"]
