"""What is said of an image beside it: an SBOM and where it came from, attached as docker buildx attaches them."""
