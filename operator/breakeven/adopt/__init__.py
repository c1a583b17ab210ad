"""What serves vLLM today, as the resource that renders the same. Pure: documents in, a resource and notes out."""

from breakeven.adopt.adoption import Adoption, Choices, adopt
from breakeven.adopt.difference import difference, normalised
from breakeven.adopt.notes import NotAdoptable, Note
from breakeven.adopt.reference import referred, resolved, template_of
from breakeven.adopt.shapes import read
from breakeven.adopt.workload import Workload

__all__ = [
    "Adoption",
    "Choices",
    "NotAdoptable",
    "Note",
    "Workload",
    "adopt",
    "difference",
    "normalised",
    "read",
    "referred",
    "resolved",
    "template_of",
]
