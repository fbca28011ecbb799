"""`preprocess`: bring a set of images to one reference."""

from mediamill.operations.preprocess.operation import Preprocess

plugin = Preprocess

__all__ = ["Preprocess", "plugin"]
