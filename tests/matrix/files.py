"""The same rows as text in the ways that people and programs write them."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_outlier_detector

from tests.matrix.sheets import Written, changed, csv, file, plain, records
from tests.matrix.subjects import Subject


@file
def comma(subject: Subject) -> Written:
    return plain(subject, csv(subject.sheet))


@file
def semicolon_and_decimal_comma(subject: Subject) -> Written:
    return plain(subject, csv(subject.sheet, sep=";", decimal=","))


@file
def tab(subject: Subject) -> Written:
    return plain(subject, csv(subject.sheet, sep="\t"))


@file
def pipe(subject: Subject) -> Written:
    return plain(subject, csv(subject.sheet, sep="|"))


@file
def utf_16(subject: Subject) -> Written:
    return plain(subject, csv(subject.sheet).encode("utf-16"))


@file
def cp1252(subject: Subject) -> Written:
    return plain(subject, csv(subject.sheet).encode("cp1252"))


@file
def byte_order_mark(subject: Subject) -> Written:
    return plain(subject, csv(subject.sheet, lineterminator="\r\n").encode("utf-8-sig"))


@file
def gzipped(subject: Subject) -> Written:
    return plain(subject, gzip.compress(csv(subject.sheet).encode()), suffix="csv.gz")


@file
def xz(subject: Subject) -> Written:
    return plain(subject, lzma.compress(csv(subject.sheet).encode()), suffix="csv.xz")


@file
def zipped(subject: Subject) -> Written:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", csv(subject.sheet))
    return plain(subject, held.getvalue(), suffix="zip")


@file
def json_lines(subject: Subject) -> Written:
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in records(subject))
    return plain(subject, data, suffix="jsonl")


@file
def columns_reversed(subject: Subject) -> Written:
    """By name where the model has names; else the rows are those of the file's order."""
    backwards = subject.sheet[subject.sheet.columns[::-1]]
    turned = subject.frame[subject.frame.columns[::-1]]
    named = subject.named
    told = "" if named or turned.shape[1] == 1 else "position"
    return plain(subject, csv(backwards), rows=subject.frame if named else turned, told=told)


@file
def with_index(subject: Subject) -> Written:
    return plain(subject, subject.sheet.to_csv().encode(), told="left out")


@file
def headless(subject: Subject) -> Written:
    told = "position" if subject.named else ""
    return plain(subject, csv(subject.frame, header=False), target=None, told=told)


@file
def separator_line(subject: Subject) -> Written:
    return plain(subject, "sep=;\n" + csv(subject.sheet, sep=";"))


@file
def comments(subject: Subject) -> Written:
    lines = csv(subject.sheet).splitlines()
    return plain(subject, "\n".join(["# made by a program, see below", *lines[:4], "# half", *lines[4:], ""]))


@file
def blanks_after_commas(subject: Subject) -> Written:
    table = [list(subject.sheet), *subject.sheet.to_numpy(dtype=object).tolist()]
    quoted = [[f'"{cell}"' if "," in str(cell) else str(cell) for cell in row] for row in table]
    return plain(subject, "".join(", ".join(row) + "\n" for row in quoted))


@file
def all_quoted(subject: Subject) -> Written:
    return plain(subject, csv(subject.sheet, quoting=1))


@file
def empty_last_column(subject: Subject) -> Written:
    return plain(subject, csv(subject.sheet).replace("\n", ",\n").replace(",\n", "\n", 1), told="last column")


@file
def extra_column(subject: Subject) -> Written:
    table = subject.sheet.assign(extra=1.5)
    lacks = "extra" if subject.named else rf"extra|\b{subject.frame.shape[1] + 1}\b"
    return plain(subject, csv(table[["extra", *subject.sheet]]), lacks=lacks)


@file
def missing_column(subject: Subject) -> Written:
    """The last column of the inputs is not there; of a single one its truth only is left."""
    gone = subject.frame.columns[-1]
    lacks = rf"missing.*{gone}" if subject.named else rf"{gone}|\b{subject.frame.shape[1] - 1}\b|no (inputs|columns)"
    table = subject.sheet.drop(columns=[gone])
    return plain(subject, csv(table), lacks=lacks)


@file
def renamed_column(subject: Subject) -> Written:
    name = subject.frame.columns[0]
    table = subject.sheet.rename(columns={name: "renamed"})
    told = "position" if not subject.named and subject.frame.shape[1] > 1 else ""
    return plain(subject, csv(table), lacks=rf"missing.*{name}" if subject.named else None, told=told)


@file
def text_among_numbers(subject: Subject) -> Written:
    table, rows, name = changed(subject, 5, lambda _cell: "unknown")
    return plain(subject, csv(table), rows=rows, lacks=name)


@file
def percentages(subject: Subject) -> Written:
    table, rows, name = changed(subject, 4, lambda cell: f"{cell}%")
    return plain(subject, csv(table), rows=rows, lacks=name)


@file
def thousands(subject: Subject) -> Written:
    table, rows, name = changed(subject, 3, lambda _cell: "12,345.5")
    return plain(subject, csv(table), rows=rows, lacks=name)


@file
def gaps(subject: Subject) -> Written:
    """A cell without a number; a text of no letters is a text."""
    table, rows, name = changed(subject, 6, lambda _cell: "")
    if name is not None:
        rows = subject.frame.copy()
        rows.loc[6, name] = np.nan
    return plain(subject, csv(table), rows=rows)


@file
def short_row(subject: Subject) -> Written:
    lines = csv(subject.sheet).splitlines()
    lines[6] = lines[6].rpartition(",")[0]
    return plain(subject, "\n".join(lines), lacks="line 7")


@file
def long_row(subject: Subject) -> Written:
    lines = csv(subject.sheet).splitlines()
    lines[9] += ",1"
    return plain(subject, "\n".join(lines), lacks="line 10")


@file
def second_header(subject: Subject) -> Written:
    lines = csv(subject.sheet).splitlines()
    return plain(subject, "\n".join([*lines[:12], lines[0], *lines[12:]]), lacks="header.* line 13")


@file
def several_targets(subject: Subject) -> Written:
    truth = subject.truth.assign(other=[at % 2 for at in range(len(subject.frame))])
    table = pd.concat([subject.frame, truth], axis="columns")
    return plain(subject, csv(table), truth=truth, target=tuple(truth))


@file
def gap_in_truth(subject: Subject) -> Written:
    truth = subject.truth.astype(object)
    truth.iloc[2:5] = None
    table = pd.concat([subject.frame, truth], axis="columns")
    return plain(subject, csv(table), truth=truth)


@file
def unknown_label(subject: Subject) -> Written:
    truth = subject.truth.astype(object)
    truth.iloc[2:3] = 77
    table = pd.concat([subject.frame, truth], axis="columns")
    return plain(subject, csv(table), truth=truth, odd="77" if _knows_labels(subject.asked) else "")


@file
def no_rows(subject: Subject) -> Written:
    return plain(subject, csv(subject.sheet.iloc[:0]), lacks="no rows")


@file
def one_row(subject: Subject) -> Written:
    held = subject.sheet.iloc[:1]
    return plain(subject, csv(held), rows=subject.frame.iloc[:1], truth=subject.truth.iloc[:1])


@file
def big_integers(subject: Subject) -> Written:
    frame = subject.frame.copy()
    for name in subject.numbers[:1]:
        frame[name] = frame[name].round().astype("int64")
        frame.loc[1, name] = (1 << 53) + 1
    return plain(subject, csv(pd.concat([frame, subject.truth], axis="columns")), rows=frame)


@file
def zero_byte(subject: Subject) -> Written:
    data = csv(subject.sheet).encode()
    return plain(subject, data[:60] + b"\0" + data[60:], lacks="byte 0 at 60")


def _knows_labels(model: Any) -> bool:
    """Whether some labels are the model's and others are not."""
    of_sklearn = type(model).__module__.partition(".")[0] == "sklearn"
    return hasattr(model, "classes_") or (of_sklearn and is_outlier_detector(model))
