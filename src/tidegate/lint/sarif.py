"""A report as SARIF 2.1.0 (OASIS), for code scanning; a loop is a code flow. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from tidegate.base.errors import Where
from tidegate.lint.findings import Finding, Level, Report, Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
PAGES = "https://github.com/tidegate/tidegate/blob/main/docs/"
_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.UNREADABLE: "error"}


def as_sarif(report: Report) -> Mapping[str, Any]:
    """The log, with one run. Paths are relative to the repository's root (`uriBaseId` SRCROOT)."""
    numbers = {rule.id: number for number, rule in enumerate(report.rules)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "tidegate lint",
                        "informationUri": f"{PAGES}lint.md",
                        "version": version("tidegate"),
                        "rules": [_rule(rule) for rule in report.rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, numbers[finding.rule.id]) for finding in report.findings],
            }
        ],
    }


def _rule(rule: Rule) -> Mapping[str, Any]:
    return {"id": rule.id, "shortDescription": {"text": rule.summary}, "helpUri": f"{PAGES}{rule.page}"}


def _result(finding: Finding, number: int) -> Mapping[str, Any]:
    text = "\n".join(part for part in (finding.message, *finding.notes, finding.help) if part)
    result: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": number,
        "level": _LEVELS[finding.level],
        "message": {"text": text},
        "locations": [_location(finding.where)],
    }
    if finding.way:
        flow = [{"location": {**_location(step.where), "message": {"text": step.text}}} for step in finding.way]
        result["codeFlows"] = [{"threadFlows": [{"locations": flow}]}]
    return result


def _location(where: Where) -> dict[str, Any]:
    region: dict[str, int] = {"startLine": where.line or 1}
    if where.column:
        region["startColumn"] = where.column
    artifact = {"uri": quote(where.file or ""), "uriBaseId": "SRCROOT"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}
