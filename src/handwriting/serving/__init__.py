"""What runs in TorchServe's workers."""

from handwriting.serving.handler import RecogniserHandler

__all__ = ["RecogniserHandler"]
