"""The closed list of what a backend can find remarkable in a file.

A backend reports; it never judges. `kind` says what sort of fact a code is, so that a policy has something to fall
back on: "damaged" (the bytes are broken), "evasion" (honest writers never produce it), "limit" (a budget ran out
before the end), "code" (it can run or read something by itself), "note" (worth showing).
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from backends.core.inspection import Finding


class FindingCode(NamedTuple):
    """One code, its kind and what it means in a line."""

    code: str
    kind: str
    meaning: str


FINDING_CODES: tuple[FindingCode, ...] = (
    # any file
    FindingCode("truncated", "damaged", "the file ends before what it announces"),
    FindingCode("malformed", "damaged", "bytes that no reader of the format accepts"),
    FindingCode("translated", "damaged", "its line ends were changed on the way, so it is not what was saved"),
    FindingCode("unfilled", "damaged", "its end is zero bytes, for which room was made and nothing came"),
    FindingCode("trailing-bytes", "damaged", "bytes after the end of the model that belong to nothing"),
    FindingCode("limit", "limit", "a budget of size, depth, count or time ran out; the rest was not read"),
    FindingCode("extension-mismatch", "note", "the file's name promises another format"),
    FindingCode(
        "third-party-format", "code", "read by code that another distribution brings, which nobody reviewed here"
    ),
    FindingCode("disguised-pickle", "evasion", "a pickle under a name that promises data without code"),
    FindingCode("polyglot", "evasion", "the same bytes are valid in two formats"),
    FindingCode("unknown-field", "code", "a field that this reader does not know: nobody looked into what it does"),
    # compression
    FindingCode("decompression-bomb", "limit", "opens to more bytes than the limit or the ratio allows"),
    FindingCode("damaged-compression", "damaged", "the compressed stream is cut or its checksum is wrong"),
    FindingCode("several-members", "evasion", "more than one compressed member, or bytes after the last"),
    FindingCode("legacy-zfile", "note", "compressed by joblib before 0.10; convert it with an old joblib"),
    # pickle streams
    FindingCode("several-pickles", "note", "more than one pickle in the file"),
    FindingCode("frame", "evasion", "a frame that the two CPython unpicklers would read differently"),
    FindingCode("protocol", "evasion", "a protocol mark in the middle of a stream"),
    FindingCode("odd-name", "evasion", "a global whose name holds unusual characters"),
    FindingCode("odd-literal", "evasion", "a number or string spelled as no pickler writes it"),
    FindingCode("computed-name", "evasion", "a global whose name is no plain string"),
    FindingCode("computed-callee", "evasion", "calls something that was computed instead of named"),
    FindingCode("odd-call", "code", "calls a known name otherwise than picklers are known to"),
    FindingCode("odd-build", "evasion", "sets the state of something that is not a new object"),
    FindingCode("method-override", "code", "the state of an object replaces one of its methods"),
    FindingCode("extension-registry", "evasion", "names a global by a number of the copyreg registry"),
    FindingCode("persistent-id", "code", "refers to something outside the pickle"),
    FindingCode("nested-pickle", "code", "bytes that are themselves a pickle"),
    FindingCode("exponential", "evasion", "shared tuples that unfold to an exponential size"),
    FindingCode("out-of-band", "damaged", "refers to buffers that are not in the file"),
    # arrays
    FindingCode("raw-span", "evasion", "raw array bytes that break joblib's layout"),
    FindingCode("legacy-wrapper", "code", "an array that is read from another file, wherever that lies"),
    FindingCode("legacy-companion", "code", "an array that joblib before 0.10 keeps in a file beside this one"),
    FindingCode("array-size", "evasion", "an array announces more bytes than the file has"),
    FindingCode("array-header", "damaged", "the header of a numpy file is not valid"),
    FindingCode("object-array", "note", "an array of Python objects: a pickle inside"),
    # zip containers
    FindingCode("duplicate-member", "evasion", "two members of an archive have the same name"),
    FindingCode("member-mismatch", "evasion", "an archive's directory and its members disagree"),
    FindingCode("encrypted-member", "evasion", "a member of an archive claims to be encrypted"),
    FindingCode("unsafe-path", "evasion", "a member of an archive leads out of it or is a link"),
    FindingCode("unread-member", "code", "a member of an archive that belongs to nothing in it"),
    FindingCode("prefix-data", "evasion", "bytes before the first member of an archive"),
    # archives of files
    FindingCode("unopened", "limit", "something in an archive could not be opened, so it was not looked at"),
    FindingCode("chat-template", "code", "a chat template that reaches for more than the messages it puts together"),
    # PyTorch files
    FindingCode("torch-storage", "damaged", "a tensor's numbers are missing, cut off or of another size"),
    FindingCode("torch-script", "code", "a TorchScript program: code beside the numbers"),
    FindingCode("torch-program", "code", "an exported PyTorch program: parts of it are text that PyTorch evaluates"),
    FindingCode("torch-operator", "code", "an operator that a library beside PyTorch answers"),
    FindingCode("torch-module", "note", "the source text of a module class, which PyTorch only compares"),
    # HDF5 files
    FindingCode("hdf5-external-link", "code", "a link that leads to another file"),
    FindingCode("hdf5-external-storage", "code", "an array whose values lie in another file"),
    FindingCode("hdf5-virtual", "code", "an array put together from other arrays, perhaps of other files"),
    FindingCode("hdf5-link", "note", "a link inside the file that was not followed"),
    FindingCode("hdf5-hard-link", "note", "a second name of an object that has a place already"),
    FindingCode("hdf5-shape-bomb", "evasion", "an array announces far more bytes than are stored"),
    FindingCode("hdf5-filter", "note", "an array is compressed with a filter that is not installed"),
    FindingCode("hdf5-unlisted-name", "code", "names a class or function that the HDF5 layouts do not build"),
    FindingCode("hdf5-layout", "damaged", "the file breaks the layout that it announces"),
    FindingCode("keras-lambda", "code", "a Keras layer that carries Python code of its own"),
    FindingCode("keras-foreign", "code", "a Keras object whose class is not part of Keras"),
    FindingCode("onnx-custom-operator", "code", "an operator that native code outside of the runtime answers"),
    FindingCode("onnx-external-data", "code", "weights that lie in another file beside the model"),
    FindingCode("onnx-external-path", "evasion", "weights that are read from outside the model's directory"),
    FindingCode("onnx-unknown-field", "code", "a field that the format does not define: nobody looked into it"),
    FindingCode("tflite-custom-operator", "code", "an operator of a TensorFlow Lite model that native code answers"),
    FindingCode("tflite-external-data", "code", "weights that lie in another file beside the model"),
    FindingCode("tflite-structure", "damaged", "an index, a size or a divisor that a runtime would follow astray"),
    FindingCode("tensorflow-variables", "damaged", "variables of a SavedModel that are missing or cut off"),
    FindingCode("tensorflow-code", "code", "an operator that runs a program outside of the graph"),
    FindingCode("tensorflow-writes", "code", "an operator that writes files where the graph says"),
    FindingCode("tensorflow-reads", "code", "an operator that reads files where the graph says"),
    FindingCode("skops-node", "code", "a part of a skops file that contradicts another, or that nobody knows"),
    FindingCode("mlflow-code", "code", "Python code in an MLflow model, which MLflow would import or run"),
    FindingCode("mlflow-trusted-types", "note", "an MLflow model's own list of types to trust"),
    FindingCode("served-code", "code", "Python code that a model server would run beside a model"),
    FindingCode("transformers-code", "code", "Python code that transformers imports where remote code is trusted"),
    FindingCode("transformers-weights", "damaged", "weights that an index names and that are not there, or elsewhere"),
    FindingCode("xml-entities", "evasion", "XML that declares entities, which read files or grow without bound"),
    FindingCode("keras-config", "damaged", "the configuration of a Keras model cannot be read"),
)
"""One line a code; formats of other distributions may use these codes and no others."""

KINDS: dict[str, str] = {entry.code: entry.kind for entry in FINDING_CODES}


def finding(code: str, detail: str, offset: Optional[int] = None) -> Finding:
    """A Finding whose code is on the list. Raises KeyError for one that is not."""
    KINDS[code]
    return Finding(code, detail, offset)
