"""What docker/metadata-action 5 gives: tags, labels and annotations of an image, from an event. Pure."""

from tidegate.workflow.metadata.compute import OUTPUTS, Metadata, Source, metadata

__all__ = ["OUTPUTS", "Metadata", "Source", "metadata"]
