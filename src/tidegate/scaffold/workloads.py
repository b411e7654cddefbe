"""The workload of an application that is there already: where its image is written, and the marker behind it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.base.errors import InvalidInput, TidegateError, Where
from tidegate.base.files import Files
from tidegate.base.frozen import frozen
from tidegate.base.text_edits import Insertion, edited, lines_of, scalar_span
from tidegate.base.yaml import Document, Path, load_documents, value_at
from tidegate.kinds.reference import parse
from tidegate.scaffold.draft import Draft
from tidegate.scaffold.kustomizations import kustomizations
from tidegate.update.edit import Selected
from tidegate.update.marker_index import is_yaml
from tidegate.update.markers import find_markers
from tidegate.workflow.parse import is_workflow

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")
_TEMPLATES: tuple[Path, ...] = (("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec"))
_LISTS = ("containers", "initContainers")
_REST = re.compile(r"[ \t]*(\r?\n)?")


@frozen
class Workload:
    """A workload's image: the reference, and the place where it is written. `policy` is what a marker names there;
    `part` is empty, or `tag` where only that is written.
    """

    path: str
    image: str
    where: Where
    policy: str | None = None
    part: str = ""

    @property
    def name(self) -> str:
        """The image without tag and digest, as it is written."""
        return Selected.parse(self.image).name


def find_workload(files: Files, name: str, image: str | None, folder: str) -> Workload | None:
    """The workload of an application: one of its name, else one in its folder; None where there is none.

    Raises InvalidInput where several may be meant, or where none of them runs the image that is asked for.
    """
    paths = [path for path in files.paths() if is_yaml(path) and not is_workflow(path)]
    found = [one for path in paths for one in _in_file(files, path, name)]
    found = found or [one for path in paths if path.startswith(f"{folder}/") for one in _in_file(files, path, None)]
    if not found:
        return None
    chosen = [one for one in found if image is not None and _same(one.image, image)] or (found if image is None else [])
    if len({one.image for one in chosen}) > 1:
        named = [one for one in chosen if one.name.rpartition("/")[2] == name]
        chosen = named or chosen
    if not chosen:
        raise InvalidInput(
            f"{name} is there already, and runs {found[0].image}, not {image}", where=found[0].where,
            remedy="name that image, or choose another name",
        )  # fmt: skip
    if len(chosen) > 1:
        places = ", ".join(f"{one.image} ({one.path}:{one.where.line})" for one in chosen)
        raise InvalidInput(f"which image of {name} is meant can't be told: {places}", remedy="name one with --image")
    return _transformed(files, chosen[0])


def _transformed(files: Files, workload: Workload) -> Workload:
    """Where a kustomization's `images` has the tag, which then counts in place of the workload's own."""
    found: list[Workload] = []
    for entries in kustomizations(files):
        images = entries.document.value.get("images")
        for number, one in enumerate(images if isinstance(images, list) else ()):
            if not isinstance(one, Mapping) or not isinstance(one.get("newTag"), str):
                continue
            if _is_reference(str(one.get("name"))) and _same(str(one["name"]), workload.name):
                where = entries.document.where(("images", number, "newTag"))
                name = str(one.get("newName") or workload.name)
                found.append(_at(entries.path, files.read(entries.path), f"{name}:{one['newTag']}", where, "tag"))
    if len(found) > 1:
        places = ", ".join(f"{one.path}:{one.where.line}" for one in found)
        raise InvalidInput(
            f"several kustomizations set the tag of {workload.name}: {places}",
            remedy='write a marker behind each: # {"$imagepolicy": "NAMESPACE:NAME:tag"}',
        )
    return found[0] if found else workload


def _at(path: str, content: bytes, image: str, where: Where, part: str = "") -> Workload:
    markers = {one.line: one.policy for one in find_markers(content).markers}
    return Workload(path, image, Where(path, where.line, where.column), markers.get(where.line or 0), part)


def mark(draft: Draft, workload: Workload, policy: str) -> None:
    """The policy's marker behind the workload's image, where no marker is. Raises InvalidInput where a comment or
    another value stands there.
    """
    if workload.policy is not None:
        return
    written = comment(f"{policy}:{workload.part}" if workload.part else policy)
    lines = lines_of(draft.read(workload.path))
    line = workload.where.line or 1
    span = scalar_span(lines, workload.where)
    text = lines[line - 1]
    if span is None or not _REST.fullmatch(text, span[1]):
        raise InvalidInput(
            "something stands behind this image, where its marker must be", where=workload.where,
            remedy=f"put nothing behind the image, not even a comment, or write the marker by hand: {written}",
        )  # fmt: skip
    content = edited(lines, [Insertion(line, span[1] + 1, f" {written}")])
    if not any(one.line == line and one.policy == policy for one in find_markers(content).markers):
        raise InvalidInput("no marker can be put behind this image", where=workload.where, remedy=written)
    draft.edit(workload.path, content)


def comment(policy: str) -> str:
    """The marker of a policy (`NS:NAME`, or `NS:NAME:tag`)."""
    return f'# {{"$imagepolicy": "{policy}"}}'


def _in_file(files: Files, path: str, name: str | None) -> Iterator[Workload]:
    """The images of the workloads of a name, of any without one."""
    try:
        content = files.read(path)
        if (name or "").encode() not in content or b"image:" not in content or b"kind:" not in content:
            return
        documents = load_documents(content, file=path)
    except TidegateError:
        return  # lint tells of what can't be read
    for document in documents:
        for image, where in _images(document, name):
            yield _at(path, content, image, where)


def _images(document: Document, name: str | None) -> Iterator[tuple[str, Where]]:
    value: Any = document.value
    metadata = value.get("metadata") if isinstance(value, Mapping) else None
    if (
        not isinstance(metadata, Mapping)
        or value.get("kind") not in KINDS
        or metadata.get("name") != (name or metadata.get("name"))
    ):
        return
    for template in _TEMPLATES:
        for key in _LISTS:
            containers = value_at(value, (*template, key))
            for number, one in enumerate(containers if isinstance(containers, list) else ()):
                image = one.get("image") if isinstance(one, Mapping) else None
                if isinstance(image, str) and _is_reference(image):
                    yield image, document.where((*template, key, number, "image"))


def _is_reference(text: str) -> bool:
    try:
        parse(text)
    except InvalidInput:
        return False
    return True


def _same(reference: str, image: str) -> bool:
    return parse(reference).repository == parse(image).repository
