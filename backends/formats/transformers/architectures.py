"""Architectures that run here: classes of transformers' own, by exact names."""

from __future__ import annotations

from typing import NamedTuple, Optional

EMBEDDING, CLASSIFICATION = "embedding", "text classification"

FAMILIES = {
    "bert": "Bert", "roberta": "Roberta", "distilbert": "DistilBert", "mpnet": "MPNet", "xlm-roberta": "XLMRoberta",
    "electra": "Electra", "albert": "Albert", "deberta": "Deberta", "deberta-v2": "DebertaV2",
    "camembert": "Camembert", "modernbert": "ModernBert", "squeezebert": "SqueezeBert", "mobilebert": "MobileBert",
    "roformer": "RoFormer", "rembert": "RemBert", "ernie": "Ernie", "megatron-bert": "MegatronBert",
}  # fmt: skip
"""The first part of the names of a family's classes, by its `model_type`. ConvBert and Nystromformer are left out:
what fills a text up to the length of others beside it changes their answers."""
_PRETRAINED = ("Model", "ForMaskedLM", "ForPreTraining")
"""Ends of classes whose inner model gives embeddings."""
_OFFSET = frozenset(("roberta", "xlm-roberta", "camembert", "mpnet"))
"""Families that count positions from behind the padding token on."""
_ENDS = (
    *("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForMaskedLM", "ForPreTraining"),
    *("ForConditionalGeneration", "ForCausalLM", "LMHeadModel", "ForMultipleChoice", "ForImageClassification"),
    *("ForCTC", "Model"),
)


class Running(NamedTuple):
    """How one architecture runs: the class of transformers, that of its configuration, and what it answers."""

    model: str
    config: str
    task: str


def running_of(architecture: str, model_type: str) -> Optional[Running]:
    """How a model of this class and family runs; None for one that is on no list."""
    family = FAMILIES.get(model_type)
    if family is None:
        return None
    if architecture == f"{family}ForSequenceClassification":
        return Running(architecture, f"{family}Config", CLASSIFICATION)
    if not architecture or architecture in {f"{family}{end}" for end in _PRETRAINED}:
        return Running(f"{family}Model", f"{family}Config", EMBEDDING)
    return None


def family_of(architecture: str) -> str:
    """The name of an architecture without the task at its end: `Bert` of `BertForMaskedLM`."""
    end = next((one for one in _ENDS if architecture.endswith(one) and architecture != one), "")
    return architecture[: len(architecture) - len(end)]


def positions(model_type: str, given: Optional[int], padding: Optional[int]) -> Optional[int]:
    """How many tokens a text may have of this many positions."""
    if given is None or model_type not in _OFFSET:
        return given
    return max(given - (1 if padding is None else padding) - 1, 0)
