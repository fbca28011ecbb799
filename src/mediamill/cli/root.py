"""The root of the command line: which commands there are and where they live."""

import click

from mediamill import __version__
from mediamill.cli.terminal.lazy import LazyGroup

COMMANDS = {
    "up": ("mediamill.cli.serve:up", "Start the service: API, pages and worker in one process."),
    "demo": ("mediamill.cli.demo:demo", "Turn a clip into frames through a real service."),
    "sample": ("mediamill.cli.sample:sample", "Write files to try things with."),
    "run": ("mediamill.cli.run:run", "Run an operation on local files, without a server."),
    "replay": (
        "mediamill.cli.replay:replay",
        "Make an output again by its lineage, and say whether it is the same.",
    ),
    "login": ("mediamill.cli.login:login", "Sign in to a server and remember the token."),
    "files": ("mediamill.cli.files:files", "Put files on a server, list, fetch and delete them."),
    "import": (
        "mediamill.cli.importing:import_",
        "Bring files to a server: from web addresses, buckets, folders.",
    ),
    "jobs": ("mediamill.cli.jobs:jobs", "Create jobs on a server, follow and collect them."),
    "prompt": ("mediamill.cli.prompt:prompt", "Ask a model about FILES, print what it answers."),
    "export": (
        "mediamill.cli.export:export",
        "Put all result files of JOBS into a folder or a bucket.",
    ),
    "projects": ("mediamill.cli.projects:projects", "Keep files together in named sets."),
    "annotations": (
        "mediamill.cli.annotations:annotations",
        "Check and convert COCO, YOLO and VOC, without a server.",
    ),
    "models": ("mediamill.cli.models:models", "Fetch and list models that run on this machine."),
    "captions": (
        "mediamill.cli.captions:captions",
        "Find captions again, judge them, and export them by file name.",
    ),
    "providers": (
        "mediamill.cli.providers:providers",
        "Set up who answers captions, labels and prompts; for administrators.",
    ),
    "spending": (
        "mediamill.cli.spending:spending",
        "Show what your model calls cost in a month, and what is left of your budget.",
    ),
    "analytics": (
        "mediamill.cli.analytics:analytics",
        "Ask what was done in SQL; for analysts.",
    ),
    "templates": ("mediamill.cli.templates:templates", "Keep steps with variables under a name."),
    "operations": ("mediamill.cli.operations:operations", "Show what a server can do with files."),
    "usage": ("mediamill.cli.usage:usage", "Show how much you keep on a server."),
    "webhooks": (
        "mediamill.cli.webhooks:webhooks",
        "Have events sent to addresses of yours, signed.",
    ),
    "notifications": (
        "mediamill.cli.notifications:notifications",
        "Choose which mails you get about your jobs.",
    ),
    "account": (
        "mediamill.cli.account:account",
        "Fetch all that a server keeps about you, delete your account, keep it after all.",
    ),
    "tokens": ("mediamill.cli.tokens:tokens", "Create, list and revoke API tokens."),
    "secrets": (
        "mediamill.cli.secrets:secrets",
        "See, change and remove the keys that seal secrets in the database.",
    ),
    "admin": (
        "mediamill.cli.admin.group:admin",
        "Run this machine’s installation without the page: users, and what they did.",
    ),
    "retention": (
        "mediamill.cli.retention:retention",
        "Show for how long files are kept, what is due, and what was removed.",
    ),
    "doctor": ("mediamill.cli.doctor:doctor", "Check that this machine can run the service."),
    "health": (
        "mediamill.cli.health:health",
        "Ask the process on this machine whether it can work.",
    ),
    "migrate": (
        "mediamill.cli.migrate:migrate",
        "Move the whole installation to another database or place for bytes.",
    ),
    "backup": (
        "mediamill.cli.backup:backup",
        "Make backups of this home's installation, list them, read them back.",
    ),
    "restore": ("mediamill.cli.restore:restore", "Put a snapshot from DEST into an empty home."),
    "api": ("mediamill.cli.serve:api", "Start the API and the pages only."),
    "ingest": ("mediamill.cli.ingest:ingest", "Take files in from a stream, such as Kafka."),
    "produce": (
        "mediamill.cli.produce:produce",
        "Send files and folders of them to a topic.",
    ),
    "worker": ("mediamill.cli.serve:worker", "Start a worker only."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mediamill")
def root() -> None:
    """Put images and videos in; get frames, datasets and answers out.

    Begin with `mediamill up` for the service, or with
    `mediamill run extract-frames clip.mp4 -o frames/` for one file.
    """
