"""Operators of TensorFlow that reach beyond the graph: to files, to Python, to other machines.

Those that every SavedModel has to save and restore its own variables are not among them.
"""

from __future__ import annotations

from collections.abc import Mapping

from backends.core.findings import finding
from backends.core.inspection import Finding

_CODE = frozenset(
    ("PyFunc", "PyFuncStateless", "EagerPyFunc", "RemoteCall", "RpcCall", "TryRpc", "XlaHostCompute", "TPUReplicate")
)
"""Python of the process that runs the graph, or a program elsewhere."""
_WRITES = frozenset(
    (
        *("WriteFile", "SaveDataset", "SaveDatasetV2", "DatasetToTFRecord", "ExperimentalDatasetToTFRecord"),
        *("SnapshotDataset", "SnapshotDatasetV2", "WriteSummary", "WriteGraphSummary", "WriteRawProtoSummary"),
        *("CreateSummaryFileWriter", "CreateSummaryDbWriter", "ImportEvent", "DebugIdentity", "DebugIdentityV2"),
        *("DebugIdentityV3", "DebugNanCount", "DebugNumericSummary", "CacheDataset", "CacheDatasetV2"),
    )
)
_READS = frozenset(
    (
        *("ReadFile", "MatchingFiles", "LoadDataset", "TFRecordDataset", "TFRecordDatasetV2", "TextLineDataset"),
        *("FixedLengthRecordDataset", "FixedLengthRecordDatasetV2", "CSVDataset", "CSVDatasetV2", "SqlDataset"),
        *("ExperimentalSqlDataset", "ExperimentalCSVDataset", "LMDBDataset", "ExperimentalLMDBDataset", "LMDBReader"),
        *("WholeFileReader", "WholeFileReaderV2", "TextLineReader", "TextLineReaderV2", "TFRecordReader"),
        *("TFRecordReaderV2", "FixedLengthRecordReader", "FixedLengthRecordReaderV2", "MatchingFilesDataset"),
        *("ExperimentalMatchingFilesDataset", "DecodeProtoV2", "EncodeProto", "BigQueryReader", "LoadTPUEmbedding"),
    )
)


def operator_findings(counts: Mapping[str, int]) -> list[Finding]:
    """The findings of these operators, each with how often it is called."""
    found = []
    for name in sorted(counts):
        times = f"{name} ({counts[name]} time{'s' if counts[name] != 1 else ''})"
        if name in _CODE:
            found.append(finding("tensorflow-code", f"the graph calls {times}: a program outside of it is run", 0))
        elif name in _WRITES:
            found.append(finding("tensorflow-writes", f"the graph calls {times}: files are written where it says", 0))
        elif name in _READS:
            found.append(finding("tensorflow-reads", f"the graph calls {times}: files are read where it says", 0))
    return found
