"""The scan station: ImageRepository."""
