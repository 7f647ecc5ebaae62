"""One HTTP request as TorchServe hands it to a handler: which pictures, and how many labels are asked for."""

from handwriting.query.parts import Part, read_part
from handwriting.query.request import Query, read_query

__all__ = ["Part", "Query", "read_part", "read_query"]
