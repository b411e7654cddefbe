"""The statements themselves: SPDX 2.3 and SLSA provenance v1, each in an in-toto statement about one image. Pure.

Nothing in them is of the moment or of this machine: the same image has the same statements.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tidegate.base.frozen import frozen
from tidegate.build.attesting.packages import Found
from tidegate.engine.clock import rfc3339
from tidegate.kinds.platform import Platform
from tidegate.kinds.reference import Reference

STATEMENT = "https://in-toto.io/Statement/v0.1"
SPDX = "https://spdx.dev/Document"
SLSA = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://tidegate.dev/build/dockerfile/v1"
BUILDER = "https://tidegate.dev/builder"
_SOURCE, _REVISION = "org.opencontainers.image.source", "org.opencontainers.image.revision"
_LICENSE = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")

Json = dict[str, Any]


@frozen
class Material:
    """An image that a build read: its name, its manifest's digest and for which platform."""

    name: str
    digest: str
    platform: Platform


def statement(tags: Iterable[Reference], digest: str, platform: Platform, kind: str, predicate: Json) -> Json:
    """A predicate as a statement about the manifest `digest`, under each of its names as buildx writes them."""
    where = quote(str(platform), safe="")
    names = [f"pkg:docker/{tag.repository}@{tag.tag or 'latest'}?platform={where}" for tag in tags] or ["_"]
    sha = {"sha256": digest.removeprefix("sha256:")}
    return {
        "_type": STATEMENT,
        "predicateType": kind,
        "subject": [{"name": name, "digest": sha} for name in names],
        "predicate": predicate,
    }


def spdx(found: Sequence[Found], digest: str, name: str, created: int) -> Json:
    """An SPDX document of an image's packages."""
    root = "SPDXRef-Image"
    packages: list[Json] = [
        {
            "SPDXID": root,
            "name": name,
            "versionInfo": digest,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "primaryPackagePurpose": "CONTAINER",
        }
    ]
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relatedSpdxElement": root, "relationshipType": "DESCRIBES"}]
    for package in found:
        identity = f"SPDXRef-Package-{hashlib.sha256(package.purl.encode()).hexdigest()[:16]}"
        license_ = package.license if _LICENSE.fullmatch(package.license) else "NOASSERTION"
        packages.append(
            {
                "SPDXID": identity,
                "name": package.name,
                "versionInfo": package.version,
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": False,
                "licenseDeclared": license_,
                "externalRefs": [
                    {
                        "referenceCategory": "PACKAGE-MANAGER",
                        "referenceType": "purl",
                        "referenceLocator": package.purl,
                    }
                ],
            }
        )
        relations.append({"spdxElementId": root, "relatedSpdxElement": identity, "relationshipType": "CONTAINS"})
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://tidegate.dev/spdx/{digest.replace(':', '-')}",
        "creationInfo": {"created": rfc3339(datetime.fromtimestamp(created, UTC)), "creators": ["Tool: tidegate"]},
        "packages": packages,
        "relationships": relations,
    }


def provenance(
    labels: Mapping[str, str],
    platform: Platform,
    dockerfile: str,
    target: str | None,
    build_args: Mapping[str, str] | None,
    materials: Iterable[Material],
) -> Json:
    """From which source and which images an image was built, and how. `build_args` are said where they are given: they
    may hold what is nobody's business.
    """
    request: Json = {"frontend": "dockerfile", "platform": str(platform)}
    if target:
        request["target"] = target
    if build_args is not None:
        request["args"] = {f"build-arg:{name}": value for name, value in sorted(build_args.items())}
    source: Json = {"path": dockerfile}
    if labels.get(_SOURCE):
        source["uri"] = labels[_SOURCE]
    if re.fullmatch(r"[0-9a-f]{40}", labels.get(_REVISION, "")):
        source["digest"] = {"sha1": labels[_REVISION]}
    read = sorted({(one.name, one.digest, str(one.platform)) for one in materials})
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"configSource": source, "request": request},
            "resolvedDependencies": [
                {
                    "uri": f"pkg:docker/{quote(name, safe='/:')}?platform={quote(where, safe='')}",
                    "digest": {"sha256": digest.removeprefix("sha256:")},
                }
                for name, digest, where in read
            ],
        },
        "runDetails": {"builder": {"id": BUILDER}},
    }
