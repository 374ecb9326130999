"""Strict sections, changes from the command line, and faults told in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Tag, ValidationError

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
        ConfigError: when the text is no assignment or the path runs through a plain value.
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
    node[last] = yaml.safe_load(text)


def check_config(model: type[T], data: Mapping[str, Any], source: str) -> T:
    """Build `model` from `data`.

    Raises:
        ConfigError: the first fault, in one line.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_explain(model, error)}") from error


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    first = error.errors()[0]
    keys, _ = _follow(model, first["loc"])
    where = ".".join(keys) or "file"
    context = first.get("ctx", {})
    if first["type"] == "extra_forbidden":
        _, section = _follow(model, first["loc"][:-1])
        return f"unknown key {where}; allowed here: {', '.join(section.model_fields)}"
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "value_error":
        return f"{where}: {context.get('error')}"
    if first["type"] == "union_tag_invalid":
        return f"{where}: there is no {context.get('tag')!r}; allowed: {context['expected_tags']}"
    if first["type"] == "union_tag_not_found":
        return f"{where}: got {first['input']!r}; allowed is a section that names its kind"
    return f"{where}: got {first['input']!r}; {first['msg'].lower()}"


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
