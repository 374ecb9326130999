"""Strict sections, changes from the command line, and faults told in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Tag, ValidationError

from robot.config.spelling import did_you_mean

T = TypeVar("T", bound=BaseModel)
Place = tuple[int | str, ...]


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names key, value and what is allowed."""


class Strict(BaseModel):
    """A section: unknown keys, infinities and later changes are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def apply_change(data: dict[str, Any], change: str) -> None:
    """Set one dotted key, `a.b=c`, with `c` read as YAML.

    Raises:
        ConfigError: when the text is no assignment, or no YAML, or the path runs through a plain
            value.
    """
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {change}: write key=value, such as task.reward=walk_upright")
    *parents, last = key.split(".")
    node = data
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            raise ConfigError(f"--set {change}: '{parent}' is a value, not a section")
    node[last] = read_yaml(text, f"--set {change}")


def read_yaml(text: str, source: str) -> Any:
    """What a text says, read with the safe loader.

    Raises:
        ConfigError: when it is no YAML, in one line.
    """
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(f"{source}: not YAML: {where}{error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no such date
        raise ConfigError(f"{source}: not YAML: {' '.join(str(error).split())}") from error


def check_config(model: type[T], data: Mapping[str, Any], source: str) -> T:
    """Build `model` from `data`.

    Raises:
        ConfigError: the first fault, in one line.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_explain(model, error, data)}") from error


def _explain(model: type[BaseModel], error: ValidationError, data: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    keys, _ = _follow(model, first["loc"])
    where = ".".join(keys) or "file"
    context = first.get("ctx", {})
    if first["type"] == "extra_forbidden":
        _, section = _follow(model, first["loc"][:-1])
        allowed = section.model_fields
        return f"unknown key {where}{did_you_mean(keys[-1], allowed)}; allowed here: " + ", ".join(
            allowed
        )
    if first["type"] == "missing":
        return f"{where} is missing{_misnamed(keys[:-1], error, data)}"
    if first["type"] == "value_error":
        return f"{where}: {context.get('error')}"
    if first["type"] == "union_tag_invalid":
        tags, tag = context["expected_tags"], str(context.get("tag"))
        meant = did_you_mean(tag, tags.replace("'", "").split(", "))
        return f"{where}: there is no {tag!r}{meant}; allowed: {tags}"
    if first["type"] == "union_tag_not_found":
        return f"{where}: got {first['input']!r}; allowed is a section that names its kind"
    return f"{where}: got {first['input']!r}; {first['msg'].lower()}"


def _misnamed(section: list[str], error: ValidationError, data: Mapping[str, Any]) -> str:
    """What a section is called that a change may have meant; "" when it is there on purpose.

    A change that mistypes a section makes a new one, which lacks most of its keys.
    """
    first = error.errors()[0]
    lacking = [e for e in error.errors() if e["loc"][:-1] == first["loc"][:-1]]
    if not section or len(first["input"]) >= len(lacking):
        return ""
    beside: Any = data
    for key in section[:-1]:
        beside = beside.get(key) if isinstance(beside, Mapping) else None
    if not isinstance(beside, Mapping):
        return ""
    return did_you_mean(section[-1], [name for name in beside if name != section[-1]])


def _follow(model: type[BaseModel], path: Place) -> tuple[list[str], Any]:
    """Keys as the file has them, and what stands there: Pydantic's path names the union's tags."""
    keys: list[str] = []
    node: Any = model
    for part in path:
        if isinstance(node, type) and issubclass(node, BaseModel):
            keys.append(str(part))
            field = node.model_fields.get(str(part))
            node = field.annotation if field is not None else None
        elif part in (tagged := _tagged(node)):
            node = tagged[str(part)]
        else:
            keys.append(str(part))
            node = (get_args(node) or (None,))[-1]
    return keys, node


def _tagged(node: Any) -> dict[int | str, Any]:
    """Members of a union by their tags; empty for anything else."""
    if get_origin(node) is Annotated:
        node = get_args(node)[0]
    if get_origin(node) is not Union:
        return {}
    members = [get_args(m) for m in get_args(node) if get_origin(m) is Annotated]
    return {meta.tag: kind for kind, *rest in members for meta in rest if isinstance(meta, Tag)}


def chosen_by(key: str, default: str | None = None) -> Any:
    """A discriminator of unions: the key's value, whether a file or a section is read."""

    def choose(section: Any) -> str | None:
        if isinstance(section, Mapping):
            return section.get(key, default)
        return getattr(section, key, default)

    return choose
