"""prompt: ask a model about files, one by one or all at once.

`operation` has the parameters, `preparing` what is sent of a file, `framing` how it is set apart
from the instruction, `asking` how an answer is had whole, `schemas` what it must fit.
"""

from mediamill.operations.prompt.operation import Prompt

plugin = Prompt
