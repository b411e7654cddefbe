"""A whole Dockerfile built by buildah, where it is installed and asked for: its result made ours, byte for byte."""
