"""Flux's substitution of `${var}` in manifests, by the rules of fluxcd/pkg/envsubst 1.7. Pure."""
