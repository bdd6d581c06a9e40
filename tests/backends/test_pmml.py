"""PMML is told by its root and read by a parser that knows no entities."""

from __future__ import annotations

import time

import pytest

from backends.core import registry
from backends.core.errors import Damaged, Unsupported
from backends.core.inspection import Inspection
from backends.core.source import MemorySource
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge

DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<!-- written by hand -->
<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">
  <Header><Application name="SkLearn2PMML package" version="0.110.0"/></Header>
  <DataDictionary>
    <DataField name="Species" optype="categorical" dataType="string">
      <Value value="setosa"/><Value value="virginica"/>
    </DataField>
    <DataField name="Petal.Length" optype="continuous" dataType="double"/>
    <DataField name="Colour" optype="categorical" dataType="string"><Value value="red"/></DataField>
  </DataDictionary>
  <TreeModel modelName="iris" functionName="classification">
    <MiningSchema>
      <MiningField name="Species" usageType="target"/>
      <MiningField name="Petal.Length"/>
      <MiningField name="Colour"/>
    </MiningSchema>
    <Node><True/><Node score="setosa"><True/></Node></Node>
  </TreeModel>
</PMML>
"""
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


def inspected(text: str, name: str = "m.pmml") -> Inspection:
    return registry.inspect(MemorySource(text.encode(), name))


def test_a_document_tells_version_kind_and_fields() -> None:
    found = inspected(DOCUMENT)
    assert (found.format, found.model_class, found.complete) == ("pmml", "pmml.TreeModel", True)
    assert found.signature.feature_names == ("Petal.Length", "Colour")
    assert found.signature.classes == ("setosa", "virginica")
    assert found.signature.texts == ("Colour",)
    told = found.details
    assert (told["version"], told["written by"], told["model"]) == ("4.4", "SkLearn2PMML package 0.110.0", "iris")
    assert (told["function"], told["target"]) == ("classification", "Species")
    assert told["elements"] == {"TreeModel": 1, "Node": 2}
    assert judge(found, Policy()).verdict is Verdict.SAFE
    assert not found.loadable


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE PMML SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE PMML [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        f'<!DOCTYPE PMML [<!ENTITY l0 "ha">{LAUGHS}]>',
        '<!DOCTYPE PMML [<!ENTITY % p SYSTEM "http://127.0.0.1/x"> %p;]>',
    ],
    ids=["an external type", "an external entity", "a billion laughs", "a parameter entity"],
)
def test_a_document_with_entities_is_blocked_and_nothing_is_read_or_grows(doctype: str) -> None:
    text = DOCUMENT.replace("<PMML", doctype + "\n<PMML", 1).replace('score="setosa"', 'score="&l9;"')
    began = time.process_time()
    found = inspected(text)
    assert time.process_time() - began < 1
    assert [each.code for each in found.findings] == ["xml-entities"]
    assert judge(found, Policy()).verdict is Verdict.BLOCKED


@pytest.mark.parametrize(
    "text",
    [
        DOCUMENT[:-20],
        DOCUMENT.replace("</TreeModel>", ""),
        '<PMML version="4.4"><Header/></PMML>',
        '<PMML version="4.4">' + "<a>" * 100_000,
        DOCUMENT.replace("UTF-8", "UTF-x"),
        DOCUMENT.replace("UTF-8", "utf-7"),
    ],
    ids=["cut off", "not closed", "no model", "nested", "an unknown encoding", "an encoding that no parser takes"],
)
def test_a_broken_document_is_damaged_with_a_sentence(text: str) -> None:
    with pytest.raises(Damaged):
        inspected(text)


def test_other_xml_is_none() -> None:
    with pytest.raises(Unsupported):
        inspected("<?xml version='1.0'?><html/>", "page.xml")
