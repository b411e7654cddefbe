"""The named steps of the way: the points after which something durable has changed.

A crash test sets TIDEGATE_KILL_AT to a step's value; the process that reaches it is killed there with SIGKILL (with
TIDEGATE_KILL_PID also the server, when a child reaches it). Without that variable `reach` does nothing.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum


class Step(StrEnum):
    """Every step at which a crash is tested; a station that adds a durable change adds its step here."""

    PUSH_RECEIVED = "git.push-received"
    BOOTSTRAPPED = "git.bootstrapped"
    RUN_CREATED = "runner.run-created"
    JOB_STARTED = "runner.job-started"
    STEP_FINISHED = "runner.step-finished"
    RUN_FINISHED = "runner.run-finished"
    LAYER_WRITTEN = "build.layer-written"
    IMAGE_BUILT = "build.image-built"
    BLOB_STORED = "registry.blob-stored"
    MANIFEST_STORED = "registry.manifest-stored"
    TAG_SET = "registry.tag-set"
    TAGS_STORED = "scan.tags-stored"
    SCAN_RECORDED = "scan.recorded"
    SELECTION_RECORDED = "select.recorded"
    COMMIT_WRITTEN = "update.commit-written"
    COMMIT_PUSHED = "update.commit-pushed"
    UPDATE_RECORDED = "update.recorded"
    SOURCE_RECORDED = "source.recorded"
    OBJECT_APPLIED = "deploy.object-applied"
    OBJECT_PRUNED = "deploy.object-pruned"
    DEPLOY_RECORDED = "deploy.recorded"
    ROOTFS_READY = "runtime.rootfs-ready"
    REPLICA_STARTED = "runtime.replica-started"
    TRAFFIC_SWITCHED = "runtime.traffic-switched"
    REPLICA_STOPPED = "runtime.replica-stopped"


_KILL_AT = os.environ.get("TIDEGATE_KILL_AT")


def reach(step: Step) -> None:
    """Say that `step` is done; die here if a crash test asked for it."""
    if step == _KILL_AT:
        server = int(os.environ.get("TIDEGATE_KILL_PID", "0"))
        if server:
            os.kill(server, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
