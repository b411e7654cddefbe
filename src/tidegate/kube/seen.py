"""Objects as they were read a moment ago, so that a write which follows need not read them again.

A write that relies on one names its version, so the API refuses it where the object has changed since.
"""

from __future__ import annotations

import json
from collections import OrderedDict

from tidegate.kinds.objects import Object, ObjectKey

KEPT = 32
KEPT_SIZE = 64 * 1024
"""Characters of an object that is worth remembering: of a larger one a further GET is the lesser cost."""


class Seen:
    """The last KEPT objects that were read or written, each for one use; never a Secret or another built-in kind."""

    def __init__(self) -> None:
        self._texts: OrderedDict[ObjectKey, str] = OrderedDict()

    def note(self, key: ObjectKey, obj: Object) -> None:
        """Remember an object as it is now; what the caller does with it afterwards changes nothing."""
        if not key.group:
            return
        self._texts.pop(key, None)
        text = json.dumps(obj, separators=(",", ":"))
        if len(text) > KEPT_SIZE:
            return
        self._texts[key] = text
        if len(self._texts) > KEPT:
            self._texts.popitem(last=False)

    def take(self, key: ObjectKey) -> Object | None:
        """The object, which is forgotten by this; None where it is not remembered."""
        text = self._texts.pop(key, None)
        if text is None:
            return None
        found: Object = json.loads(text)
        return found
