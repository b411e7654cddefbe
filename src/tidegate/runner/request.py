"""A job as the Jobs port gets it: JSON, so that it can cross a process boundary. It holds secrets: never show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, field
from typing import Any

from tidegate.base.errors import TidegateError
from tidegate.base.frozen import frozen

SUCCESS, FAILURE, CANCELLED, TIMED_OUT, SKIPPED = "success", "failure", "cancelled", "timed_out", "skipped"


@frozen
class JobRequest:
    """One job of a run.

    `job` is its id in the workflow, `name` what people see (unique in the run); `workflow` is the text of the file
    `file`. `contexts` holds github, needs, vars, inputs, matrix and strategy. `timeout_minutes` bounds the whole job;
    `limits` is what its Runner says of resources (`JobLimits.as_json`), and `jobs`, how many run at once; `network` is
    the Runner's: `none` leads nowhere. `pins` are the commits that the run takes from other repositories. `image` is
    what a job runs in that says no container, where `isolation` is container.
    """

    run: str
    attempt: int
    job: str
    name: str
    file: str
    workflow: str
    contexts: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    permissions: Mapping[str, str] = field(default_factory=dict)
    isolation: str = "auto"
    timeout_minutes: float = 360.0
    limits: Mapping[str, Any] = field(default_factory=dict)
    namespace: str = "flux-system"
    pins: Sequence[Mapping[str, str]] = ()
    network: str = "auto"
    image: str = ""

    def as_json(self) -> dict[str, Any]:
        """The form that the Jobs port takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> JobRequest:
        """Read it back."""
        return cls(**{**value, "pins": tuple(value.get("pins") or ())})


@frozen
class PushedImage:
    """An image that a job has pushed: a reference with its tag, the index's digest, the platforms."""

    reference: str
    digest: str
    platforms: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The form in a run's status."""
        return {"reference": self.reference, "digest": self.digest, "platforms": list(self.platforms)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PushedImage:
        """Read it back."""
        return cls(value["reference"], value["digest"], tuple(value.get("platforms") or ()))


@frozen
class JobOutcome:
    """How a job ended. `message` says why, where it is not a step's failure alone."""

    conclusion: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    images: tuple[PushedImage, ...] = ()
    message: str = ""

    def as_json(self) -> dict[str, Any]:
        """The form that the Jobs port returns."""
        return {
            "conclusion": self.conclusion,
            "outputs": dict(self.outputs),
            "images": [image.as_json() for image in self.images],
            "message": self.message,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> JobOutcome:
        """Read it back."""
        images = tuple(PushedImage.from_json(image) for image in value["images"])
        return cls(value["conclusion"], value["outputs"], images, value["message"])


class StoppedError(TidegateError):
    """The job was ended before its first step; `conclusion` is how."""

    def __init__(self, conclusion: str, message: str):
        super().__init__(message)
        self.conclusion = conclusion
