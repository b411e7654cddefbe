"""All checks of a repository at once. Pure, but for reading the given files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tidegate.base.files import Files
from tidegate.lint import patched
from tidegate.lint.catalogue import Catalogue
from tidegate.lint.findings import Finding, Level, Report, Rule, place
from tidegate.lint.known import Known
from tidegate.lint.loops import FEEDBACK_LOOP, prove
from tidegate.lint.repository import INVALID, UNREADABLE, read_repository
from tidegate.lint.rules import (
    branch_not_deployed,
    markers,
    packages_permission,
    platform_not_built,
    policy_never_matches,
    removed_version,
    shallow_count,
)
from tidegate.lint.starting import Starts

_CHECKS: Mapping[Callable[[Known], Iterator[Finding]], tuple[Rule, ...]] = {
    branch_not_deployed.check: (branch_not_deployed.RULE,),
    markers.check: (markers.WITHOUT_POLICY, markers.WITHOUT_MARKER),
    packages_permission.check: (packages_permission.RULE,),
    platform_not_built.check: (platform_not_built.RULE,),
    policy_never_matches.check: (policy_never_matches.RULE,),
    removed_version.check: (removed_version.RULE,),
    shallow_count.check: (shallow_count.RULE,),
}
RULES: tuple[Rule, ...] = (
    FEEDBACK_LOOP,
    INVALID,
    UNREADABLE,
    patched.RULE,
    *(rule for rules in _CHECKS.values() for rule in rules),
)


def lint(files: Files) -> Report:
    """The report on a tree of files. Where one can't be read nothing is proven."""
    repository = read_repository(files)
    known = Known(repository, Starts(repository), Catalogue(repository))
    proof = prove(known)
    found = [*repository.problems, *proof.findings, *(one for check in _CHECKS for one in check(known))]
    findings = sorted(dict.fromkeys(found), key=place)
    unread = any(finding.level is Level.UNREADABLE or finding.rule is INVALID for finding in findings)
    return Report(findings, () if unread else proof.proven, RULES)
