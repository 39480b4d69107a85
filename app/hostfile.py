"""A YAML file written by a host who isn't a programmer, read the way they meant it."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, Self

import yaml

Place = tuple[str | int, ...]


class HostFileError(Exception):
    """The file can't be read; the message says where and what to do."""


@dataclass(frozen=True)
class HostFile:
    """The file's mapping, and the line (from 1) at which each of its fields begins.

    Every value is the text that stands in the file: YAML itself would make 900 of 15:00, 83 of the
    password 0123 and False of "no". A field left empty is as if it weren't there.
    """

    data: dict[str, Any]
    lines: dict[Place, int]

    @classmethod
    def read(cls, path: Traversable) -> Self:
        """Read it.

        :raises HostFileError: for a file that isn't there, isn't UTF-8, isn't YAML, isn't a list of
            fields, or has a field twice.
        """
        try:
            # BaseLoader, in C: each process reads fifty of these files as it starts.
            node = yaml.compose(path.read_text("utf-8-sig"), Loader=yaml.CBaseLoader)
        except OSError as error:
            raise HostFileError(f"{path} can't be opened: {error.strerror}") from None
        except UnicodeDecodeError:
            raise HostFileError(f"{path}: save the file as UTF-8 text") from None
        except yaml.YAMLError as error:
            raise HostFileError(_explain(path, error)) from None
        if not isinstance(node, yaml.MappingNode):
            raise HostFileError(f"{path}: write lines like  name: Pensione Aurora")
        lines: dict[Place, int] = {}
        try:
            return cls(_mapping(path, node, (), lines), lines)
        except RecursionError:
            raise HostFileError(f"{path}: a field must not hold itself (*)") from None

    def line(self, place: Sequence[str | int]) -> int | None:
        """The line of a field, or of the nearest field around it; None at the top."""
        for end in range(len(place), 0, -1):
            if (line := self.lines.get(tuple(place[:end]))) is not None:
                return line
        return None


def _explain(path: Traversable, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"{path}, line {mark.line + 1}" if mark else str(path)
    problem = getattr(error, "problem", None) or "unreadable"
    return (
        f"{where}: this isn't YAML ({problem}). Indent with spaces, never with tabs, and put a"
        ' text that has a colon or begins with a sign (* & ! % @ # { [) in "double quotes".'
    )


def _mapping(
    path: Traversable, node: yaml.MappingNode, at: Place, lines: dict[Place, int]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        place = (*at, key)
        if place in lines:
            raise HostFileError(
                f"{path}, line {line}: {'.'.join(map(str, place))} is there twice"
                f" (first in line {lines[place]}); remove one"
            )
        lines[place] = line
        value = _value(path, value_node, place, lines)
        if value != "":
            found[key] = value
    return found


def _value(path: Traversable, node: yaml.Node, at: Place, lines: dict[Place, int]) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(path, node, at, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_value(path, item, (*at, n), lines) for n, item in enumerate(node.value)]
    return str(node.value).strip()
