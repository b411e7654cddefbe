"""The columns of a table of each kind, as `kubectl get` prints them from either home. Pure.

What is shown without `-o wide` is exactly what the guide to the pipeline shows, on every version; Flux's other columns
have priority 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.base.frozen import frozen

LATEST_IMAGE = ".status.latestImage"
SUSPENDED = ".status.suspended"


@frozen
class PrinterColumn:
    """A heading and the path of what it shows, of the type `string`, or `date` for an age; `priority` 1 is for
    `-o wide`.
    """

    name: str
    path: str
    type: str = "string"
    priority: int = 0


def condition(kind: str, field: str) -> str:
    """The path of a condition's field."""
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


_AGE = PrinterColumn("Age", ".metadata.creationTimestamp", "date")
_READY = PrinterColumn("Ready", condition("Ready", "status"))
_STATUS = PrinterColumn("Status", condition("Ready", "message"))
_SUSPENDED = PrinterColumn("Suspended", SUSPENDED)


def _wide(*columns: PrinterColumn) -> tuple[PrinterColumn, ...]:
    return tuple(PrinterColumn(column.name, column.path, column.type, 1) for column in columns)


_NOTIFICATION = "notification.toolkit.fluxcd.io"
_IMAGE, _SOURCE = "image.toolkit.fluxcd.io", "source.toolkit.fluxcd.io"
COLUMNS: Mapping[tuple[str, str], Sequence[PrinterColumn]] = {
    (_SOURCE, "GitRepository"): (PrinterColumn("URL", ".spec.url"), _AGE, _READY, _STATUS),
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): (_AGE, _READY, _STATUS),
    (_NOTIFICATION, "Alert"): (_AGE, _READY, _STATUS),
    (_NOTIFICATION, "Provider"): (_AGE, _READY, _STATUS),
    (_NOTIFICATION, "Receiver"): (_AGE, _READY, _STATUS),
    (_IMAGE, "ImageRepository"): (
        PrinterColumn("Last Scan", ".status.lastScanResult.scanTime"),
        PrinterColumn("Tags", ".status.lastScanResult.tagCount"),
        *_wide(PrinterColumn("Image", ".spec.image"), _READY, _STATUS, _AGE),
    ),
    (_IMAGE, "ImagePolicy"): (
        PrinterColumn("LatestImage", LATEST_IMAGE),
        *_wide(PrinterColumn("Image", ".status.latestRef.name"), PrinterColumn("Tag", ".status.latestRef.tag")),
        *_wide(_READY, _STATUS, _AGE),
    ),
    (_IMAGE, "ImageUpdateAutomation"): (
        PrinterColumn("Last Run", ".status.lastAutomationRunTime"),
        _SUSPENDED,
        *_wide(_READY, _STATUS, _AGE),
    ),
    ("tidegate.dev", "Runner"): (
        PrinterColumn("Repository", ".spec.repository"),
        _SUSPENDED,
        _READY,
        _AGE,
        *_wide(_STATUS),
    ),
    ("tidegate.dev", "WorkflowRun"): (
        PrinterColumn("Workflow", ".spec.workflow"),
        PrinterColumn("Event", ".spec.event"),
        PrinterColumn("Ref", ".spec.ref"),
        PrinterColumn("Status", ".status.status"),
        PrinterColumn("Conclusion", ".status.conclusion"),
        _AGE,
        *_wide(PrinterColumn("Repository", ".spec.repository"), PrinterColumn("Commit", ".spec.commit")),
        *_wide(PrinterColumn("Actor", ".spec.actor")),
    ),
}
"""By group and kind; the name of the object comes before them."""


def shows_suspension(group: str, kind: str) -> bool:
    """Whether the kind's table has a column for `status.suspended`, which its controller then keeps."""
    return any(column.path == SUSPENDED for column in COLUMNS.get((group, kind), ()))
