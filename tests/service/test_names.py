"""Names that models in service answer to."""

from __future__ import annotations

import os

from console.serving.served_settings import default_name


def test_a_file_name_that_is_no_utf8_is_served_by_a_text() -> None:
    assert default_name(os.fsdecode(b"in/caf\xe9.joblib")) == "in/caf\ufffd"
    assert default_name("in/café.v2.joblib") == "in/café.v2"
