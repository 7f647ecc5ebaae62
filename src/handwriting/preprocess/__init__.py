"""From picture to network input: the one implementation that training, handlers and dashboard share."""

from handwriting.preprocess.frame import FRAME_PX, unit_frames

__all__ = ["FRAME_PX", "unit_frames"]
