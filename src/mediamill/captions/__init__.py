"""Captions and labels of pictures: what they are, when they will do, how they are given out.

Nothing here asks a model or decodes a picture; operations, services and pages all use it.
"""
