"""Alert and Provider: objects that only say something. Their controllers say whether it can be understood."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tidegate.base.errors import InvalidInput
from tidegate.base.regexp.matcher import any_of
from tidegate.engine.finalizers import let_go
from tidegate.engine.outcome import Context, Handled, Outcome, Ready, Stalled, Trigger
from tidegate.kinds import alert, provider
from tidegate.kinds.objects import Object
from tidegate.notify.receivers import CONTROLLER


class Initialized:
    """A controller of one of both kinds: Ready `Initialized`, or Stalled with what is wrong; `check` gives that."""

    name = CONTROLLER
    group = alert.GROUP
    triggers: Sequence[Trigger] = ()

    def __init__(self, kind: str, check: Callable[[Object], str]):
        self.kind = kind
        self._check = check

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Look at the spec."""
        if await let_go(obj, ctx, manager=self.name):
            return Handled()
        try:
            refused = self._check(obj)
        except InvalidInput as error:
            return Stalled("InvalidSpec", str(error))
        return Stalled("UnsupportedField", refused) if refused else Ready("Initialized")


def alerts() -> Initialized:
    """The controller of Alerts."""
    return Initialized(alert.KIND, _check_alert)


def providers() -> Initialized:
    """The controller of Providers."""
    return Initialized(provider.KIND, _check_provider)


def _check_alert(obj: Object) -> str:
    spec = alert.Alert.from_object(obj)
    for name, patterns in (("exclusionList", spec.exclusions), ("inclusionList", spec.inclusions)):
        any_of(patterns, field=f"spec.{name}")
    return ""


def _check_provider(obj: Object) -> str:
    spec = provider.Provider.from_object(obj)
    if spec.type in provider.OTHER_TYPES:
        return f"spec.type: {spec.type} is not supported: one of {', '.join(provider.TYPES)}"
    return f"not supported: {', '.join(f'spec.{name}' for name in spec.unused)}" if spec.unused else ""
