"""The worker on Lambda: `mediamill.aws.worker.handler`, fed by the queue of doorbells.

It takes every class but `notices` (`notifier.py`) and `long`, which is what it left to workers:
`engine/bounds.py`.
"""

from mediamill.aws.working import Works
from mediamill.engine.shift import crew

handler = Works(crew)
