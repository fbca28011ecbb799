"""The notifier on Lambda: `mediamill.aws.notifier.handler`, fed by the doorbells of `notices`.

Mails, webhooks and events go out from here, so that no large file keeps them waiting.
"""

from mediamill.aws.working import Works
from mediamill.engine.shift import NOTIFIER

handler = Works(lambda _: NOTIFIER)
