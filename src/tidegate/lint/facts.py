"""What is known of a run before it happens: its event, its branch, the commit that an automation makes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from tidegate.base.frozen import frozen
from tidegate.lint.holes import ANY, DIGITS, HEX, NAME, literal
from tidegate.lint.static import OPEN, Known, Open, Scope, as_value

REPOSITORY = f"{NAME}/{NAME}"


@frozen
class Facts:
    """A run's event (empty where it is not known), the branch (None likewise), the head commit's message with holes and
    its author (None where that is not the automation).
    """

    event: str = ""
    branch: str | None = None
    message: str = ANY
    author: tuple[str, str] | None = None
    inputs: Mapping[str, Known] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """The full ref, with holes."""
        return ANY if self.branch is None else literal(f"refs/heads/{self.branch}")

    def scope(self) -> Scope:
        """The contexts that every expression of the run sees."""
        return Scope({"github": Open(fields=self._github()), "inputs": Open(fields=dict(self.inputs))})

    def _github(self) -> dict[str, Known]:
        known: dict[str, Known] = {
            "sha": Open(HEX),
            "run_number": Open(DIGITS),
            "run_id": Open(DIGITS),
            "run_attempt": Open(DIGITS),
            "repository": Open(REPOSITORY),
            "repository_owner": Open(NAME),
        }
        if self.event:
            known["event_name"] = self.event
        if self.branch is not None and self.event == "push":
            name = as_value(literal(self.branch))
            known |= {"ref": as_value(self.ref), "ref_name": name, "ref_type": "branch", "base_ref": "", "head_ref": ""}
        if self.event == "push":
            known["event"] = Open(fields={"head_commit": Open(fields=self._commit()), "deleted": False})
        return known

    def _commit(self) -> dict[str, Known]:
        if self.author is None:
            return {}
        name, email = (as_value(literal(part)) for part in self.author)
        person = Open(fields={"name": name or OPEN, "email": email or OPEN})
        return {"message": as_value(self.message), "author": person, "committer": person}
