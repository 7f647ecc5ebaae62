"""Parses one HTTP request as TorchServe passes it to a handler: its pictures and parameters."""

from handwriting.parsing.parts import Part, read_part
from handwriting.parsing.request import ParsedRequest, parse_request

__all__ = ["ParsedRequest", "Part", "parse_request", "read_part"]
