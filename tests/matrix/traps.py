"""Text tables that are nearly the rows: spelled, cut, packed or headed in another way than they should be."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import unicodedata
import zipfile
from collections.abc import Callable

from tests.matrix.sheets import Written, changed, csv, file, plain, records
from tests.matrix.subjects import Subject


@file
def old_line_ends(subject: Subject) -> Written:
    return plain(subject, csv(subject.sheet, lineterminator="\r"))


@file
def blank_lines(subject: Subject) -> Written:
    return plain(subject, "\n\n" + csv(subject.sheet).replace("\n", "\n\n"))


@file
def bz2_packed(subject: Subject) -> Written:
    return plain(subject, bz2.compress(csv(subject.sheet).encode()), suffix="csv.bz2")


@file
def json_array(subject: Subject) -> Written:
    return plain(subject, json.dumps(records(subject)), suffix="json")


@file
def json_rows_apart(subject: Subject) -> Written:
    """The fields of each object in another order."""
    turned = [row if at % 2 else dict(reversed(row.items())) for at, row in enumerate(records(subject))]
    rows = subject.frame if subject.named else subject.frame[subject.frame.columns[::-1]]
    return plain(subject, "\n".join(json.dumps(row) for row in turned), suffix="jsonl", rows=rows)


@file
def json_without_a_field(subject: Subject) -> Written:
    found = records(subject)
    name = str(subject.frame.columns[0])
    del found[4][name]
    return plain(subject, "\n".join(json.dumps(row) for row in found), suffix="jsonl", lacks=rf"{name}.*line 5")


@file
def headless_with_gap(subject: Subject) -> Written:
    """The first row lacks its first number, and is a row all the same."""
    rows = subject.frame.copy()
    for name in subject.numbers[:1]:
        rows.loc[0, name] = float("nan")
    return plain(subject, csv(rows, header=False), rows=rows, target=None)


@file
def cut_archive(subject: Subject) -> Written:
    packed = gzip.compress(csv(subject.sheet).encode())
    return plain(subject, packed[: len(packed) // 2], suffix="csv.gz", lacks="decompress")


@file
def two_tables_in_a_zip(subject: Subject) -> Written:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in ("one.csv", "two.csv"):
            archive.writestr(name, csv(subject.sheet))
    return plain(subject, held.getvalue(), suffix="zip", lacks="2 files")


@file
def doubled_name(subject: Subject) -> Written:
    name = str(subject.sheet.columns[0])
    lines = csv(subject.sheet).splitlines()
    lines = [f"{name},{lines[0]}", *(f"1,{line}" for line in lines[1:])]
    return plain(subject, "\n".join(lines), lacks=rf"two columns.*{name}")


@file
def upper_case_names(subject: Subject) -> Written:
    return _renamed(subject, str.upper, "case")


@file
def other_unicode_form(subject: Subject) -> Written:
    return _renamed(subject, lambda name: unicodedata.normalize("NFD", name), "Unicode form")


@file
def blanks_in_names(subject: Subject) -> Written:
    return _renamed(subject, lambda name: f"{name[:1]} {name[1:]}" if len(name) > 1 else name, "blanks")


def _renamed(subject: Subject, spelled: Callable[[str], str], how: str) -> Written:
    """Names that look like the model's and are others, where it has names."""
    names = {name: spelled(name) for name in subject.columns}
    differ = any(name != other for name, other in names.items())
    table = subject.sheet.rename(columns=names)
    return plain(subject, csv(table), lacks=f"missing.*{how}" if differ and subject.named else None)


@file
def amounts(subject: Subject) -> Written:
    table, rows, name = changed(subject, 2, lambda cell: f"{cell} EUR")
    return plain(subject, csv(table), rows=rows, lacks=name)


@file
def yes_and_no(subject: Subject) -> Written:
    table, rows, name = changed(subject, 1, lambda _cell: "yes")
    return plain(subject, csv(table), rows=rows, lacks=name)
