"""Parses one HTTP request as TorchServe passes it to a handler: its pictures and parameters."""

from handwriting.parsing.parts import Part, open_part
from handwriting.parsing.request import ParsedRequest, parse_request

__all__ = ["ParsedRequest", "Part", "open_part", "parse_request"]
