"""Finds the marked values of a YAML file: `image: web:1.0 # {"$imagepolicy": "flux-system:web"}`.

It works on the scanner's positions, never on a re-written document, so an edit can replace one value's bytes alone.
"""

from __future__ import annotations

import yaml

from tidegate.base.files import FILE_LIMIT
from tidegate.update.marker import WORD, FileMarkers, Problem
from tidegate.update.marker_lines import find_by_line
from tidegate.update.marker_scan import MarkerScan
from tidegate.update.objects import find_objects
from tidegate.update.yaml_text import Positions, loader, scannable

NOTHING = FileMarkers()


def find_markers(data: bytes) -> FileMarkers:
    """The marked values of a file, in order; a file without the marker's word is not parsed at all.

    A file that does not parse gives only markers whose line is clear by itself, and says so. Never raises.
    """
    if WORD.encode() not in data:
        return NOTHING
    if len(data) > FILE_LIMIT:
        return FileMarkers(problems=(Problem(None, f"it is larger than {FILE_LIMIT} bytes, so it is not edited"),))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return FileMarkers(problems=(Problem(line, "it is not UTF-8, so it is not edited"),))
    positions = Positions(text)
    readable = scannable(positions.text)
    try:
        return MarkerScan(positions, find_objects(readable)).run(yaml.scan(readable, Loader=loader()))
    except yaml.YAMLError as error:
        return find_by_line(positions, error)
