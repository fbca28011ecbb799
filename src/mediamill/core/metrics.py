"""Every metric that `/metrics` shows: its name, its labels and what it means, declared once.

What counts refers to these (`core/numbers.py`), and so does what reads the service when somebody
asks (`web/metrics/`). The documentation is written from this table, and dashboards and alerts are
checked against it. Labels have few values, which the program names: never a user, a file, an
address or what somebody typed.
"""

from mediamill.core.declaring import Metric, Of, counter, gauge, histogram

SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)
LONG = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
ASKING = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
STORING = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds."""
CLASSES = ("interactive", "bulk", "model", "housekeeping", "transfer", "notices", "long")
"""Of units; `long` holds what functions leave to workers (`engine/bounds.py`)."""
ALL = Of.INSTALLATION

# -- the process -------------------------------------------------------------------------------

INFO = gauge("mediamill_info", "version", "The running version.")
READY = gauge("mediamill_ready", "", "Whether every backend answers.")
PROCESS_CPU = counter("process_cpu_seconds", "", "Processor time of the process, its slots apart.")
PROCESS_MEMORY = gauge("process_resident_memory_bytes", "", "Memory that the process has.")
PROCESS_VIRTUAL = gauge("process_virtual_memory_bytes", "", "Addresses that it has.")
PROCESS_FILES = gauge("process_open_fds", "", "Descriptors that it has open.")
PROCESS_MOST_FILES = gauge("process_max_fds", "", "Descriptors that it may have open.")
PROCESS_STARTED = gauge("process_start_time_seconds", "", "When it began.")
MACHINE_BUSY = counter(
    "mediamill_machine_cpu_seconds",
    "",
    "Processor time of all that runs on the machine, or in the container that has a limit.",
)
MACHINE_CPUS = gauge("mediamill_machine_cpus", "", "Processors of the machine or container.")
MACHINE_MEMORY = gauge(
    "mediamill_machine_memory_bytes",
    "state",
    "Memory of the machine, or of the container that has a limit: `total`, and `available`.",
)
DISK_FREE = gauge(
    "mediamill_disk_free_bytes",
    "place",
    "Room left where a folder of ours lies: `home`, `scratch`, `blobs`, `results` if apart.",
)
DISK_SIZE = gauge("mediamill_disk_size_bytes", "place", "All the room there.")
BLOBS_FREE = gauge("mediamill_blobs_free_bytes", "", "Room left for files.")
CERTIFICATE_ENDS = gauge(
    "mediamill_certificate_expires_timestamp_seconds",
    "",
    "When the certificate ends that this process serves; a proxy's own is not seen.",
)
SLOTS = gauge("mediamill_slots", "state", "Slots of the process, `busy` and `free`.")
PROTECTION = gauge(
    "mediamill_slot_protection", "protection", "Whether the kernel grants a protection to slots."
)
DOORBELL = gauge(
    "mediamill_doorbell_connected",
    "",
    "Whether the broker is there; work is found without it, a little later.",
)

# -- requests ----------------------------------------------------------------------------------

REQUESTS = counter(
    "mediamill_http_requests",
    "method route status",
    "Requests answered, by route template.",
    known={"status": ("500", "503")},
)
REQUEST_SECONDS = histogram(
    "mediamill_http_request_seconds",
    "method route",
    "Time from a request's first byte to its answer's last.",
    SHORT,
)
UPLOADED = counter("mediamill_upload_bytes", "", "Bytes of accepted uploads.")
DIRECT = counter(
    "mediamill_direct_upload_bytes",
    "",
    "Bytes that were sent to the bucket itself, completed and given to be checked.",
)

# -- work --------------------------------------------------------------------------------------

UNIT_SECONDS = histogram(
    "mediamill_unit_seconds",
    "class kind outcome",
    "Time from a unit's claim to its end in these hands, by what came of it: `done`, `again` (an "
    "error, to be tried again), `given_up`, `lost` (the lease, or its job was cancelled), "
    "`returned` (to wait, to drain, for others), `stranded` (the store was away).",
    LONG,
)
LEASES_EXPIRED = counter(
    "mediamill_unit_leases_expired",
    "class",
    "Leases that ran out under units, which others then took up; told when the unit has ended.",
    known={"class": CLASSES},
)
SCALE_IN = counter(
    "mediamill_worker_protection",
    "outcome",
    "What came of telling whoever ends workers that are too many that this one has work, "
    "`protected`, or has none, `released`; or it `failed` (`MEDIAMILL_PROTECTION_URL`).",
    known={"outcome": ("protected", "released", "failed")},
)
ITEMS = counter(
    "mediamill_items",
    "operation outcome",
    "Items that were settled, by a stage's last operation.",
    known={"outcome": ("succeeded", "failed", "reused")},
)
UNITS = gauge(
    "mediamill_units",
    "class state",
    "Units of work that are ready or running: what workers are needed for.",
    ALL,
)
UNITS_CAPPED = gauge(
    "mediamill_units_capped", "class", "Whether there are more units than were counted.", ALL
)
UNITS_WAITING = gauge(
    "mediamill_units_waiting_seconds",
    "class",
    "How long the ready unit has waited that was due first, of those that were looked at; mails, "
    "webhooks and events are `notices`.",
    ALL,
)
WORKERS = gauge(
    "mediamill_workers",
    "state",
    "Workers by what they do: `running`, `draining`, `drained`, `lost` (of the last day).",
    ALL,
)

# -- the store ---------------------------------------------------------------------------------

STORE_SECONDS = histogram(
    "mediamill_store_seconds", "operation", "Time of a call to the store.", STORING
)
STORE_ERRORS = counter(
    "mediamill_store_errors",
    "operation error",
    "Calls that failed: `unavailable`, `full` (the disk), `wrong` (a value), `failed`. A condition "
    "that did not hold is none.",
    known={
        "operation": ("get", "query", "transact", "claim"),
        "error": ("unavailable", "full", "wrong", "failed"),
    },
)
STORE_RETRIES = counter(
    "mediamill_store_retries",
    "reason",
    "What the store was asked again: `throttled`, `collided` with others, `away`, `failed`.",
    known={"reason": ("throttled", "collided", "away", "failed")},
)

# -- what is kept ------------------------------------------------------------------------------

KEPT_BYTES = gauge(
    "mediamill_kept_bytes",
    "what",
    "Bytes for which owners are charged, all together: `files` and what belongs to them, `results` "
    "of jobs; some minutes old.",
    ALL,
)
KEPT_FILES = gauge("mediamill_kept_files", "", "Files for which owners are charged, likewise.", ALL)
OPEN_JOBS = gauge("mediamill_open_jobs", "", "Jobs that have not ended, likewise.", ALL)
ACCOUNTS = gauge("mediamill_accounts", "", "Accounts, likewise.", ALL)
BACKUP = gauge(
    "mediamill_backup_timestamp_seconds",
    "",
    "Up to when everything is in the last backup that was made by this home and found whole; 0 "
    "where one is set up (`MEDIAMILL_BACKUP_URL`) and none was made. Take the largest.",
)
BACKUP_LACKS = gauge(
    "mediamill_backup_lacking_files",
    "trouble",
    "Files that were `missing`, `damaged` or `cold` (in cold storage, so not in the backup) when "
    "the last backup was made by this home.",
)
EXPORTED = gauge(
    "mediamill_analytics_export_timestamp_seconds",
    "",
    "Up to when everything is in the export of figures; 0 where none was made. Shown where the "
    "settings of the server name a place for it (`MEDIAMILL_ANALYTICS_URL`).",
    ALL,
)
RETENTION_OVERDUE = gauge(
    "mediamill_retention_overdue_files",
    "source",
    "Files that have been due for an hour by the rules of retention and are not removed, up to a "
    "thousand.",
    ALL,
)
RETENTION_SWEPT = gauge(
    "mediamill_retention_swept_timestamp_seconds",
    "source",
    "When it was last looked for files that are due.",
    ALL,
)
RETENTION_HELD = gauge(
    "mediamill_retention_rule_held",
    "source",
    "Whether a rule that keeps files less long is held back: workers' settings may differ.",
    ALL,
)
RETENTION_FILES = counter(
    "mediamill_retention_files", "source", "Files that retention has removed.", ALL
)
RETENTION_BYTES = counter(
    "mediamill_retention_bytes", "source", "Bytes of files that retention removed.", ALL
)

# -- what goes out and comes in ----------------------------------------------------------------

MAILS = counter(
    "mediamill_mails",
    "outcome",
    "Mails that were to go out from this process, by what came of it.",
)
EVENTS = counter(
    "mediamill_events",
    "channel outcome",
    "Events that went out from this process, by where and by what came of it.",
)
STREAM_BEHIND = gauge(
    "mediamill_stream_behind_messages",
    "topic partition",
    "Messages that wait to be taken, when that was last looked at.",
    ALL,
)
STREAM_SEEN = gauge(
    "mediamill_stream_seen_timestamp_seconds",
    "topic partition",
    "When a process that has the partition last looked; old where none has it, and not shown "
    "after a week; after a day where this server's settings do not name the topic.",
    ALL,
)
STREAM_FILES = counter(
    "mediamill_stream_files", "topic partition", "Messages that became files.", ALL
)
STREAM_LETTERS = counter(
    "mediamill_stream_dead_letters", "topic partition", "Messages that could not be taken.", ALL
)

# -- models ------------------------------------------------------------------------------------

MODEL_CALLS = counter(
    "mediamill_model_calls",
    "provider outcome",
    "Model calls of this process that have ended, by what came of them.",
)
MODEL_COST = counter(
    "mediamill_model_cost_dollars",
    "provider",
    "What model calls of this process cost; those cut off count as the most they could.",
)
MODEL_SECONDS = histogram(
    "mediamill_model_call_seconds",
    "provider",
    "Time from a model call's beginning to its end.",
    ASKING,
)
RESTING = gauge(
    "mediamill_provider_resting",
    "provider",
    "Whether a provider of a chain kept failing and is left alone for a while.",
    ALL,
)
PERMITS = gauge(
    "mediamill_provider_permits",
    "provider",
    "Calls of a provider that workers may have under way now, all together.",
    ALL,
)
SPENT_TODAY = gauge(
    "mediamill_spend_today_dollars", "", "What model calls of this day (UTC) cost.", ALL
)
SPENT_MONTH = gauge(
    "mediamill_spend_month_dollars", "provider", "What those of this month cost.", ALL
)
BUDGET = gauge(
    "mediamill_budget_dollars",
    "",
    "What all of a month may cost; none where nothing bounds it.",
    ALL,
)
BUDGET_TAKEN = gauge(
    "mediamill_budget_taken_dollars", "", "Of it, spent or held for calls that are under way.", ALL
)


def provider_label(name: str) -> str:
    """Return what a provider is called in numbers and traces.

    One without a name is called by its address, whose parameters may tell of somebody's network.
    """
    return name.partition("?")[0]


METRICS = {one.name: one for one in vars().copy().values() if isinstance(one, Metric)}
"""All of them, in the order in which they are declared."""
