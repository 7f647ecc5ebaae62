"""One HTTP request as TorchServe hands it to a handler: which pictures, and how many labels are asked for."""

from handwriting.parsing.parts import Part, read_part
from handwriting.parsing.request import Query, read_query

__all__ = ["Part", "Query", "read_part", "read_query"]
