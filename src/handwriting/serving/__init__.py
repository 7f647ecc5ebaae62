"""The handlers that run in TorchServe's workers."""

from handwriting.serving.handler import RecogniserHandler

__all__ = ["RecogniserHandler"]
