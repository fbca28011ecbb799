"""extract-frames: a video becomes a stored zip of images with `frames.jsonl`.

`operation` says what can be asked for, `selection` which frames that means, `pack` how they are
written. Image operations that follow in the same stage take the pictures before they are packed.
"""

from mediamill.operations.extract_frames.operation import ExtractFrames

plugin = ExtractFrames
