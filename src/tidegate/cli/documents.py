"""Objects as YAML documents, as kubectl prints them: no anchors, no tags, nothing that a reader must resolve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        """What stands in several places is written in each."""
        return True


def yaml_documents(objects: Iterable[Mapping[str, Any]], *, sort_keys: bool = False) -> str:
    """Documents separated by `---`, ending in a newline."""
    return str(
        yaml.dump_all(objects, Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=True, default_flow_style=False)
    )
