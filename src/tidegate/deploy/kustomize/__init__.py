"""kustomize in process: a folder with a kustomization file → the objects that kustomize 0.21 builds of it. Pure."""
