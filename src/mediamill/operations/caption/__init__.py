"""`caption`: words about a picture, in variants and languages, by whichever model answers well.

`operation` says what can be asked for, `describing` writes texts into a copy of the picture. What
is asked and when an answer will do is in `mediamill.captions`.
"""

from mediamill.operations.caption.operation import Caption

plugin = Caption

__all__ = ["Caption", "plugin"]
