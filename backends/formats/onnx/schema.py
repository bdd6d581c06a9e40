"""The messages of ONNX as far as they are walked: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.

A field is `name kind`, with `*` before a kind that may stand several times. Kinds: `int`, `text`, `long` (a text, too),
`skipped` (accounted for, not kept), `numbers` and `texts` (lists that are counted), `bytes` (kept as a span), or the
name of a message.
"""

from __future__ import annotations

from typing import NamedTuple

from backends.core.protobuf import FIXED32, FIXED64, LENGTH, VARINT


class Field(NamedTuple):
    """One field of a message under one of its wire types; `packed` = numbers of this wire type stand in a span."""

    name: str
    kind: str
    many: bool
    wire: int
    packed: int = -1


_MESSAGES = {
    "Model": "1 ir_version int|2 producer_name text|3 producer_version text|4 domain text|5 model_version int"
    "|6 doc_string text|7 graph Graph|8 opset_import *Opset|14 metadata_props *Entry|20 training_info *Training"
    "|25 functions *Function|26 configuration *Device",
    "Opset": "1 domain text|2 version int",
    "Entry": "1 key text|2 value long",
    "Training": "1 initialization Graph|2 algorithm Graph|3 initialization_binding *Entry|4 update_binding *Entry",
    "Device": "1 name text|2 num_devices int|3 device *skipped",
    "Function": "1 name text|4 input *skipped|5 output *skipped|6 attribute *skipped|7 node *Node|8 doc_string skipped"
    "|9 opset_import *Opset|10 domain text|11 attribute_proto *Attribute|12 value_info *Value|13 overload text"
    "|14 metadata_props *Entry",
    "Graph": "1 node *Node|2 name text|5 initializer *Tensor|10 doc_string skipped|11 input *Value|12 output *Value"
    "|13 value_info *Value|14 quantization_annotation *Annotation|15 sparse_initializer *Sparse"
    "|16 metadata_props *Entry",
    "Annotation": "1 tensor_name skipped|2 quant_parameter_tensor_names *Entry",
    "Node": "1 input *skipped|2 output *text|3 name skipped|4 op_type text|5 attribute *Attribute|6 doc_string skipped"
    "|7 domain text|8 overload text|9 metadata_props *Entry|10 device_configurations *NodeDevice",
    "NodeDevice": "1 configuration_id skipped|2 sharding_spec *skipped|3 pipeline_stage int",
    "Attribute": "1 name text|2 f float|3 i int|4 s bytes|5 t Tensor|6 g Graph|7 floats *float|8 ints *numbers"
    "|9 strings *texts|10 tensors *Tensor|11 graphs *Graph|13 doc_string skipped|14 tp Type|15 type_protos *Type"
    "|20 type int|21 ref_attr_name text|22 sparse_tensor Sparse|23 sparse_tensors *Sparse",
    "Tensor": "1 dims *int|2 data_type int|3 segment Segment|4 float_data *float|5 int32_data *numbers"
    "|6 string_data *texts|7 int64_data *numbers|8 name text|9 raw_data bytes|10 double_data *double"
    "|11 uint64_data *numbers|12 doc_string skipped|13 external_data *Entry|14 data_location int"
    "|16 metadata_props *Entry",
    "Segment": "1 begin int|2 end int",
    "Sparse": "1 values Tensor|2 indices Tensor|3 dims *int",
    "Value": "1 name text|2 type Type|3 doc_string skipped|4 metadata_props *Entry",
    "Type": "1 tensor_type TensorType|4 sequence_type ElementType|5 map_type MapType|6 denotation skipped"
    "|7 opaque_type Opaque|8 sparse_tensor_type TensorType|9 optional_type ElementType",
    "TensorType": "1 elem_type int|2 shape Shape",
    "ElementType": "1 elem_type Type",
    "MapType": "1 key_type int|2 value_type Type",
    "Opaque": "1 domain skipped|2 name skipped",
    "Shape": "1 dim *Dimension",
    "Dimension": "1 dim_value int|2 dim_param text|3 denotation skipped",
}
_WIRES = {"int": VARINT, "numbers": VARINT, "float": FIXED32, "double": FIXED64}


def _fields(text: str) -> dict[int, Field]:
    """The fields of one message by their tags: number and wire type."""
    fields = {}
    for part in text.split("|"):
        number, name, kind = part.split()
        many, kind = kind.startswith("*"), kind.lstrip("*")
        wire = _WIRES.get(kind, LENGTH)
        fields[int(number) << 3 | wire] = Field(name, kind, many, wire)
        if many and wire != LENGTH:
            fields[int(number) << 3 | LENGTH] = Field(name, kind, many, LENGTH, wire)
    return fields


SCHEMA: dict[str, dict[int, Field]] = {name: _fields(text) for name, text in _MESSAGES.items()}
"""Message to its fields by tag."""

DTYPES: dict[int, tuple[str, int]] = {
    1: ("float32", 32),
    2: ("uint8", 8),
    3: ("int8", 8),
    4: ("uint16", 16),
    5: ("int16", 16),
    6: ("int32", 32),
    7: ("int64", 64),
    8: ("string", 0),
    9: ("bool", 8),
    10: ("float16", 16),
    11: ("float64", 64),
    12: ("uint32", 32),
    13: ("uint64", 64),
    14: ("complex64", 64),
    15: ("complex128", 128),
    16: ("bfloat16", 16),
    17: ("float8e4m3fn", 8),
    18: ("float8e4m3fnuz", 8),
    19: ("float8e5m2", 8),
    20: ("float8e5m2fnuz", 8),
    21: ("uint4", 4),
    22: ("int4", 4),
    23: ("float4e2m1", 4),
    24: ("float8e8m0", 8),
    25: ("uint2", 2),
    26: ("int2", 2),
    27: ("float6e2m3", 6),
    28: ("float6e3m2", 6),
}
"""Element types of tensors: name and bits; a string has no size of its own."""
