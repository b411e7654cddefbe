"""Receiver: Flux's notification-controller for hooks that come in. It finds the path; `hooks` answers at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.base.errors import InvalidInput, NotFound, TidegateError
from tidegate.engine.finalizers import let_go
from tidegate.engine.outcome import Context, Handled, Outcome, Ready, Stalled, Trigger
from tidegate.engine.ports import Store
from tidegate.engine.secrets import read_secret
from tidegate.kinds.objects import Object
from tidegate.kinds.receiver import GROUP, KIND, Receiver

CONTROLLER = "notification-controller"
TOKEN_NOT_FOUND = "TokenNotFound"  # noqa: S105 - Flux's word for a reason
REFUSED: Mapping[str, str] = {
    "gcr": "tokens of Google can't be verified here: let Pub/Sub push to a Receiver of type generic",
    "generic-oidc": "OIDC tokens can't be verified here: use generic-hmac",
}


class ReceiverController:
    """Gives a Receiver its path, which nobody can guess who lacks the token of its Secret."""

    name = CONTROLLER
    group = GROUP
    kind = KIND
    triggers: Sequence[Trigger] = ()

    async def reconcile(self, obj: Object, ctx: Context) -> Outcome:
        """Read the token, and say in `status.webhookPath` where the hook listens."""
        if await let_go(obj, ctx, manager=self.name):
            return Handled()
        try:
            spec = Receiver.from_object(obj)
        except InvalidInput as error:
            return Stalled("InvalidSpec", str(error))
        if refused := _refusal(spec):
            return Stalled("UnsupportedField", refused, status={"webhookPath": None})
        path = spec.webhook_path(await token_of(spec, ctx.store))
        message = f"Receiver initialized for path: {path}"
        is_new = (obj.get("status") or {}).get("webhookPath") != path
        return Ready(
            message,
            status={"webhookPath": path},
            requeue_after=spec.interval_seconds,
            event=message if is_new else None,
        )


async def token_of(spec: Receiver, store: Store) -> str:
    """The token of a Receiver's Secret; an error says which of both is missing, and how to make it."""
    assert spec.secret_ref is not None
    namespace, name = spec.key.namespace, spec.secret_ref.name
    remedy = f"kubectl create secret generic {name} -n {namespace} --from-literal=token=$(openssl rand -hex 32)"
    try:
        data = await read_secret(store, namespace, name)
    except NotFound:
        raise NotFound(f"the Secret {namespace}/{name} does not exist", code=TOKEN_NOT_FOUND, remedy=remedy) from None
    except TidegateError as error:
        raise error.under(TOKEN_NOT_FOUND) from error
    try:
        token = data.get("token", b"").decode()
    except UnicodeDecodeError:
        token = ""
    if not token:
        message = f"invalid '{namespace}/{name}' secret data: required field 'token'"
        raise InvalidInput(message, code=TOKEN_NOT_FOUND, remedy=remedy)
    return token


def _refusal(spec: Receiver) -> str:
    if why := REFUSED.get(spec.type):
        return f"spec.type: {spec.type} is not supported: {why}"
    named = ", ".join(f"spec.{name}" for name in spec.expressions)
    return f"{named}: CEL expressions are not supported: name the objects, or their matchLabels" if named else ""
