"""Tables of numbers from files: CSV, Parquet and npz. Nothing in them can run."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from robot.config import ConfigError
from robot.config.extras import how_to_install

TRUTHS = {"true": 1.0, "false": 0.0, "": np.nan, "na": np.nan, "null": np.nan, "none": np.nan}
DELIMITERS = ",;\t"


class Table(Protocol):
    """Named columns of numbers, of which some are read.

    Attributes:
        names: of the columns.
    """

    names: list[str]

    def read(self, names: Sequence[str]) -> np.ndarray:
        """(N, len(names)) float64; NaN where there is no number.

        Raises:
            ConfigError: for what is no number, naming row and column.
        """
        ...


class CsvTable:
    """Comma, semicolon or tab separated text; without a line of names, columns are 0, 1, ..."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with open(path, newline="", encoding="utf-8-sig") as file:
            line = file.readline()
        if not line.strip():
            raise ConfigError(f"{path}: is empty")
        self._delimiter = max(DELIMITERS, key=line.count)
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=self._delimiter))]
        cells[0] = cells[0].removeprefix("#").strip()
        self._headed = not all(_is_number(cell) for cell in cells)
        self.names = cells if self._headed else [str(i) for i in range(len(cells))]
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise ConfigError(f"{path}: has two columns '{min(twice)}'")

    def read(self, names: Sequence[str]) -> np.ndarray:
        """(N, len(names)) float64; an empty cell is NaN."""
        places = [self.names.index(name) for name in names]
        rows = [self._numbers(number, cells, places) for number, cells in self._rows()]
        return np.array(rows, np.float64).reshape(-1, len(names))

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        with open(self.path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=self._delimiter)
            for number, cells in enumerate(reader):
                if cells and number >= self._headed:
                    yield number - self._headed, cells

    def _numbers(self, row: int, cells: list[str], places: list[int]) -> list[float]:
        if len(cells) != len(self.names):
            wanted = len(self.names)
            raise ConfigError(f"{self.path}: row {row} has {len(cells)} cells, not {wanted}")
        try:
            return [float(cells[place]) for place in places]
        except ValueError:
            return [self._number(row, place, cells[place]) for place in places]

    def _number(self, row: int, place: int, cell: str) -> float:
        text = cell.strip().lower()
        if text in TRUTHS:
            return TRUTHS[text]
        try:
            return float(text)
        except ValueError:
            name = self.names[place]
            raise ConfigError(
                f"{self.path}: row {row}, column '{name}': '{cell}' is no number"
            ) from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


class ArrayTable:
    """Arrays by name; those of a vector `v` of (N, K) are v.0 ... v.K-1."""

    def __init__(self, path: Path, arrays: dict[str, np.ndarray]) -> None:
        self.path = path
        self._columns = dict(chain.from_iterable(_spread(n, a) for n, a in arrays.items()))
        self.names = list(self._columns)
        lengths = {len(column): name for name, column in self._columns.items()}
        if len(lengths) > 1:
            said = ", ".join(f"{name} has {n}" for n, name in lengths.items())
            raise ConfigError(f"{path}: arrays are not equally long: {said}")

    def read(self, names: Sequence[str]) -> np.ndarray:
        """(N, len(names)) float64."""
        return np.stack([self._columns[name].astype(np.float64) for name in names], 1)


def _spread(name: str, array: np.ndarray) -> list[tuple[str, np.ndarray]]:
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2):
        return []  # text, pictures and single numbers are no columns
    if array.ndim == 1:
        return [(name, array)]
    return [(f"{name}.{k}", array[:, k]) for k in range(array.shape[1])]


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Arrays of an npz file.

    Raises:
        ConfigError: when it is none, or holds objects, which could run something.
    """
    try:
        with np.load(path) as data:
            return {name: data[name] for name in data.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise ConfigError(f"{path}: cannot be read as npz: {error}") from error


def _npz(path: Path) -> Table:
    return ArrayTable(path, read_npz(path))


def _parquet(path: Path) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ConfigError(f"{path}: needs pyarrow: {how_to_install('parquet')}") from error
    try:
        table = parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise ConfigError(f"{path}: cannot be read as Parquet: {error}") from error
    arrays = {n: _column(table.column(n).combine_chunks()) for n in table.column_names}
    return ArrayTable(path, {n: a for n, a in arrays.items() if a is not None})


def _column(column: Any) -> np.ndarray | None:
    """(N,) or, from lists of one length, (N, K); None for what holds no numbers."""
    from pyarrow import types

    kind = column.type
    if types.is_list(kind) or types.is_fixed_size_list(kind) or types.is_large_list(kind):
        return _lists(column)
    if types.is_timestamp(kind):
        return column.cast("int64").to_numpy(zero_copy_only=False)
    if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        return None
    return column.cast("float64").to_numpy(zero_copy_only=False)


def _lists(column: Any) -> np.ndarray | None:
    flat, lengths = _column(column.flatten()), {len(entry or ()) for entry in column.to_pylist()}
    if flat is None or len(lengths) != 1 or not len(flat):
        return None
    return flat.reshape(len(column), -1)


READERS: dict[str, Callable[[Path], Table]] = {
    ".csv": CsvTable,
    ".tsv": CsvTable,
    ".txt": CsvTable,
    ".npz": _npz,
    ".parquet": _parquet,
}


def open_table(path: Path) -> Table:
    """The table in a file.

    Raises:
        ConfigError: for a file that is not there, or of a kind that is not read.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    if path.suffix.lower() not in READERS:
        raise ConfigError(f"{path}: allowed are {', '.join(READERS)}")
    try:
        return READERS[path.suffix.lower()](path)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is no text: {error}") from error
