"""Mediamill: put images, videos and files in; get frames, datasets and answers out."""

__version__ = "0.1.0"
