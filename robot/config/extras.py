"""Packages that only some commands need, and how a clone of the project gets them."""


def how_to_install(extra: str) -> str:
    """The command that brings an extra of pyproject.toml, in the versions that are tested."""
    return f'.venv/bin/pip install -c constraints.txt -e ".[{extra}]"'
