"""What the server takes and gives. Written by `scripts/client_models.py`."""

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

About: TypeAlias = Literal["files", "removed", "items", "jobs", "calls"]


class Acceptance(TypedDict):
    token: str
    password: str
    name: NotRequired[str]


class ActList(TypedDict):
    data: "list[ActView]"
    has_more: bool
    after: NotRequired[str | None]


class ActView(TypedDict):
    """Something that somebody did, or was kept from."""

    id: str
    at: str
    action: str
    verdict: "Verdict"
    actor: str
    about: str | None
    address: str
    agent: str
    request: str
    count: int
    details: dict[str, Any]


class AddedFilesView(TypedDict):
    """How many files joined; those that were members already are not counted."""

    added: int


class AgainBody(TypedDict):
    job: NotRequired[str]
    query: NotRequired[str]
    providers: NotRequired[list[str]]
    budget: NotRequired[float | None]


class AgainView(TypedDict):
    """Jobs that ask anew about rejected captions."""

    jobs: list[str]
    failed: "list[UnaskedView]"
    has_more: bool


class AllowedView(TypedDict):
    """What bounds model calls in a month."""

    monthly: float | None
    taken: float
    spent: float
    left: float | None
    own: bool


AnnotationBody = TypedDict(
    "AnnotationBody",
    {
        "id": NotRequired["int | str | None"],
        "class": "str",
        "box": NotRequired["list[float] | None"],
        "polygons": NotRequired["list[list[float]]"],
        "mask": NotRequired["MaskBody | None"],
        "keypoints": NotRequired["list[float]"],
        "crowd": NotRequired["bool"],
        "area": NotRequired["float | None"],
        "extra": NotRequired["dict[str, JsonValue]"],
    },
)
AnnotationView = TypedDict(
    "AnnotationView",
    {
        "id": "int | str",
        "class": "str",
        "box": "list[float] | None",
        "polygons": "list[list[float]]",
        "mask": "MaskView | None",
        "keypoints": "list[float]",
        "crowd": "bool",
        "area": "float | None",
        "extra": "dict[str, Any]",
    },
)


class AnnotationsBody(TypedDict):
    """All that is drawn on a file."""

    annotations: NotRequired["list[AnnotationBody]"]
    labels: NotRequired[list[str]]
    extra: NotRequired["dict[str, JsonValue]"]


class AnnotationsImportBody(TypedDict):
    file: str
    format: NotRequired[Literal["coco", "yolo", "voc"] | None]
    dry_run: NotRequired[bool]
    skip_invalid: NotRequired[bool]
    apply_splits: NotRequired[bool]


class AnswerView(TypedDict):
    about: "About"
    first: str
    last: str
    data: "list[GroupView]"
    total: "SumsView"


class ArchiveImportBody(TypedDict):
    file: NotRequired[str | None]
    job: NotRequired[str | None]
    members: NotRequired[list[str] | None]
    folders: NotRequired[Literal["none", "split", "split-and-class"]]


class ArchiveMemberList(TypedDict):
    """A page of the members of an archive."""

    data: "list[ArchiveMemberView]"
    has_more: bool
    after: NotRequired[str | None]
    count: int
    left_out: int


class ArchiveMemberView(TypedDict):
    """A file inside an archive."""

    path: str
    size: int
    crc32: str
    url: str


class AskView(TypedDict):
    """What a step that asks models would come to."""

    step: int
    operation: str
    providers: list[str]
    inputs: int | None
    inputs_are: Literal["exact", "at_most", "about"] | None
    calls: int | None
    input_tokens: int
    output_tokens: int
    expected: float | None
    at_most: float | None
    by_experience: bool


class AttemptList(TypedDict):
    data: "list[AttemptView]"
    has_more: bool
    after: NotRequired[str | None]


class AttemptView(TypedDict):
    """One call of one provider, or why there was none."""

    stage: int
    item: int
    question: str
    number: int
    operation: str
    provider: str
    model: str
    state: str
    code: str
    error: str
    began_at: str
    ended_at: str | None
    milliseconds: int
    input_tokens: int
    output_tokens: int
    images: int
    cost: float
    reserved: float
    request: str


class BudgetBody(TypedDict):
    monthly: float | None


class BudgetList(TypedDict):
    data: "list[BudgetView]"
    has_more: bool
    after: NotRequired[str | None]


class BudgetView(TypedDict):
    scope: str
    monthly: float | None
    changed_at: str
    changed_by: str


class CaptionLabelView(TypedDict):
    name: str
    confidence: float


class CaptionLinks(TypedDict):
    thumbnail: str
    job: str


class CaptionList(TypedDict):
    data: "list[CaptionView]"
    has_more: bool
    after: NotRequired[str | None]


class CaptionMissingView(TypedDict):
    variant: str
    language: str
    reason: str


class CaptionPatch(TypedDict):
    state: NotRequired[Literal["new", "approved", "rejected"] | None]
    captions: NotRequired["list[CaptionTextBody] | None"]


class CaptionTextBody(TypedDict):
    variant: Literal["concise", "creative", "alt-text"]
    language: str
    text: str


class CaptionTextView(TypedDict):
    variant: str
    language: str
    text: str
    original: str | None
    remark: str
    style: str
    provider: str
    model: str


class CaptionView(TypedDict):
    """What was said of one picture, as it stands now."""

    id: str
    job: str
    operation: str
    file: str
    member: str
    file_name: str
    state: str
    captions: "list[CaptionTextView]"
    labels: "list[CaptionLabelView]"
    missing: "list[CaptionMissingView]"
    providers: list[str]
    undoable: bool
    again: str | None
    html: str
    created_at: str
    changed_at: str
    links: "CaptionLinks"


class ChainBody(TypedDict):
    providers: list[str]


class ChainList(TypedDict):
    data: "list[ChainView]"
    has_more: bool
    after: NotRequired[str | None]


class ChainView(TypedDict):
    operation: str
    providers: list[str]
    source: str
    settings: list[str]


class ChangeBody(TypedDict):
    """What to change; a field that is left out stays as it is."""

    name: NotRequired[str | None]
    tags: NotRequired[list[str] | None]
    project: NotRequired[str | None]


ChangedBody = TypedDict(
    "ChangedBody",
    {
        "id": "int | str",
        "class": "str",
        "box": NotRequired["list[float] | None"],
        "polygons": NotRequired["list[list[float]]"],
        "mask": NotRequired["MaskBody | None"],
        "keypoints": NotRequired["list[float]"],
        "crowd": NotRequired["bool"],
        "area": NotRequired["float | None"],
        "extra": NotRequired["dict[str, JsonValue]"],
    },
)


class CheckView(TypedDict):
    """The latest finished health check of a project."""

    job: str
    finished_at: str | None
    summary: dict[str, Any]
    links: dict[str, str]


class ClassBody(TypedDict):
    name: str
    supercategory: NotRequired[str]
    colour: NotRequired[str]
    keypoints: NotRequired[list[str]]
    skeleton: NotRequired[list[list[int]]]
    pairs: NotRequired[list[list[int]] | None]


class ClassPatch(TypedDict):
    """What a class becomes; what is not given stays."""

    name: NotRequired[str | None]
    supercategory: NotRequired[str | None]
    colour: NotRequired[str | None]
    keypoints: NotRequired[list[str] | None]
    skeleton: NotRequired[list[list[int]] | None]
    pairs: NotRequired[list[list[int]] | None]


class ClassView(TypedDict):
    number: int
    name: str
    supercategory: str
    colour: str
    keypoints: list[str]
    skeleton: list[list[int]]
    pairs: list[list[int]]
    extra: dict[str, Any]
    files: NotRequired[int | None]
    annotations: NotRequired[int | None]


class ClassesView(TypedDict):
    data: "list[ClassView]"
    counted: bool


class ClosedView(TypedDict):
    id: str
    state: "ErasureState"
    user: str | None
    by: str
    asked_at: str
    due_at: str
    ended_at: str | None
    removed: dict[str, int]
    removed_bytes: int
    token: str
    url: str


class Confirmation(TypedDict):
    password: str
    code: NotRequired[str]


class CopyBody(TypedDict):
    name: str
    files: NotRequired[int | None]
    seed: NotRequired[int]


class CountsView(TypedDict):
    succeeded: int
    failed: int
    cancelled: int
    reused: int


class Credentials(TypedDict):
    email: str
    password: str
    code: NotRequired[str]


class DailyList(TypedDict):
    data: "list[DailyView]"
    has_more: bool
    after: NotRequired[str | None]


class DailyView(TypedDict):
    """What files came to that are purged by now."""

    day: str
    source: str
    media_type: str
    outcome: "Fate"
    files: int
    bytes: int
    items: int
    results: int
    result_bytes: int


class DayView(TypedDict):
    """What was spent on a day (UTC)."""

    day: str
    calls: int
    failed: int
    cost: float


class DeleteBody(TypedDict):
    files: list[str]
    now: NotRequired[bool]


class DeliveryList(TypedDict):
    data: "list[DeliveryView]"
    has_more: bool
    after: NotRequired[str | None]


DeliveryState: TypeAlias = Literal["pending", "delivered", "failed"]


class DeliveryView(TypedDict):
    id: str
    type: str
    state: str
    attempts: int
    status: int | None
    said: str | None
    created_at: str
    tried_at: str | None
    next_try_at: str | None
    tries: "list[TryView]"


class DifferenceView(TypedDict):
    """How a version differs from another."""

    added: int
    removed: int
    changed: int
    moved: int
    annotated: int
    names: dict[str, list[str]]


class DigestsBody(TypedDict):
    sha256: list[str]


class DirectBody(TypedDict):
    """A file that its sender will put into the bucket."""

    filename: str
    size: int
    sha256: NotRequired[str | None]
    tags: NotRequired[list[str]]
    project: NotRequired[str | None]
    parts: NotRequired[bool | None]


class DirectView(TypedDict):
    """A direct upload that has begun."""

    id: str
    name: str
    state: str
    size: int
    part_size: int
    part_count: int
    parts: "PartList"
    created_at: str
    expires_at: str
    links: dict[str, str]


class DownloadView(TypedDict):
    size: int
    etag: str
    url: str


class DrawnList(TypedDict):
    data: "list[DrawnView]"
    has_more: bool
    after: NotRequired[str | None]


class DrawnView(TypedDict):
    """What is drawn on one file."""

    file: str
    name: str
    width: int
    height: int
    annotations: "list[AnnotationView]"
    labels: list[str]
    extra: dict[str, Any]
    revision: int
    undo: int
    changed_at: str | None


class EmptiedView(TypedDict):
    removed: int
    has_more: bool


class ErasureList(TypedDict):
    data: "list[ErasureView]"
    has_more: bool
    after: NotRequired[str | None]


ErasureState: TypeAlias = Literal["waiting", "running", "done", "undone"]


class ErasureView(TypedDict):
    id: str
    state: "ErasureState"
    user: str | None
    by: str
    asked_at: str
    due_at: str
    ended_at: str | None
    removed: dict[str, int]
    removed_bytes: int


class EverybodyView(TypedDict):
    """What all have spent in a month."""

    monthly: float | None
    taken: float
    spent: float
    left: float | None
    own: bool
    month: str
    days: "list[DayView]"


ExportState: TypeAlias = Literal["waiting", "ready", "failed"]


class ExportView(TypedDict):
    id: str
    state: "ExportState"
    asked_at: str
    made_at: str | None
    expires_at: str | None
    size: int | None
    members: int | None
    error: str | None


class FactorsView(TypedDict):
    totp_since: str | None
    recovery_codes_left: int
    required: bool


class FailureList(TypedDict):
    data: "list[FailureView]"
    has_more: bool
    after: NotRequired[str | None]


class FailureView(TypedDict):
    """A job not all of which succeeded, without anything of its content."""

    job: str
    owner: str
    operations: list[str]
    state: "JobState"
    failed: int
    codes: dict[str, int]
    finished_at: str | None


Fate: TypeAlias = Literal["succeeded", "failed", "unprocessed", "rejected", "refused"]


class FeedbackBody(TypedDict):
    text: str
    page: NotRequired[str]
    files: NotRequired[list[str]]


class FeedbackChanges(TypedDict):
    state: "FeedbackState"


class FeedbackList(TypedDict):
    data: "list[FeedbackView]"
    has_more: bool
    after: NotRequired[str | None]


FeedbackState: TypeAlias = Literal["open", "done"]


class FeedbackView(TypedDict):
    id: str
    user: str
    state: "FeedbackState"
    text: str
    page: str
    pictures: int | None
    created_at: str


class FieldError(TypedDict):
    pointer: str
    message: str


class Fields(TypedDict):
    """What members get anew; what is not given stays."""

    subset: NotRequired[Literal["original", "preprocessed", "augmented"] | None]
    split: NotRequired[Literal["train", "validation", "test", ""] | None]
    group: NotRequired[str | None]


class FileList(TypedDict):
    data: "list[FileView]"
    has_more: bool
    after: NotRequired[str | None]


FileState: TypeAlias = Literal["receiving", "checking", "ready", "rejected", "trashed"]


class FileView(TypedDict):
    id: str
    name: str
    media_type: str
    size: int
    sha256: str
    width: int
    height: int
    duration: float
    source: str
    state: str
    received: int
    for_workers: NotRequired[bool]
    code: str
    error: str
    tags: list[str]
    revision: int
    lineage: dict[str, Any]
    created_at: str
    expires_at: str | None
    trashed_at: str | None
    purge_at: str | None
    thumbnail: Literal["made", "coming", "none"]
    links: dict[str, str]


class FilesBody(TypedDict):
    files: list[str]


class FindingList(TypedDict):
    data: "list[FindingView]"
    has_more: bool
    after: NotRequired[str | None]


class FindingView(TypedDict):
    """Something wrong with a set of annotations."""

    level: str
    code: str
    message: str
    place: str


class FirstCode(TypedDict):
    code: str


class Forgotten(TypedDict):
    email: str


class ForgottenView(TypedDict):
    detail: str


class GoingView(TypedDict):
    """Files, and what goes with them."""

    files: int
    bytes: int
    results: int
    result_bytes: int
    frozen: int


class GroupView(TypedDict):
    """Figures that have the same names; those that were not asked for are null."""

    count: int
    succeeded: int
    failed: int
    success_rate: float | None
    bytes: int
    items: int
    results: int
    result_bytes: int
    timed: int
    seconds_mean: float | None
    seconds_p50: float | None
    seconds_p95: float | None
    input_tokens: int
    output_tokens: int
    images: int
    cost: float
    day: str | None
    customer: str | None
    source: str | None
    media_type: str | None
    operation: str | None
    provider: str | None
    model: str | None
    status: str | None


class IdentityList(TypedDict):
    data: "list[IdentityView]"
    has_more: bool
    after: NotRequired[str | None]


class IdentityView(TypedDict):
    id: str
    issuer: str
    subject: str
    email: str
    name: str
    created_at: str


class InputsView(TypedDict):
    """Where a job's inputs come from."""

    source: str
    id: NotRequired[str | None]
    members: NotRequired[list[str] | None]
    subset: NotRequired[str | None]
    split: NotRequired[str | None]


class InvitationList(TypedDict):
    data: "list[InvitationView]"
    has_more: bool
    after: NotRequired[str | None]


class InvitationView(TypedDict):
    id: str
    email: str
    role: "Role"
    project: str | None
    share: str | None
    by: str
    created_at: str
    expires_at: str
    accepted_at: str | None
    user: str | None


class InvitedView(TypedDict):
    id: str
    email: str
    role: "Role"
    project: str | None
    share: str | None
    by: str
    created_at: str
    expires_at: str
    accepted_at: str | None
    user: str | None
    url: str


class IssuedView(TypedDict):
    id: str
    name: str
    scopes: "list[Scope] | None"
    created_at: str
    used_at: str | None
    expires_at: str | None
    token: str


class ItemList(TypedDict):
    data: "list[ItemView]"
    has_more: bool
    after: NotRequired[str | None]


class ItemMoneyView(TypedDict):
    """What an item’s model calls have cost, and who answered."""

    cost: float
    calls: int
    providers: list[str]


class ItemView(TypedDict):
    """An input of a job and its outcome so far."""

    stage: int
    index: int
    file: str
    name: str
    path: str
    state: str
    code: str
    error: str
    retryable: bool
    seconds: float
    outputs: "list[ResultFileView]"
    spending: NotRequired["ItemMoneyView | None"]


JobBody = TypedDict(
    "JobBody",
    {
        "files": NotRequired["list[str] | None"],
        "project": NotRequired["str | None"],
        "archive": NotRequired["str | None"],
        "members": NotRequired["list[str] | None"],
        "manifest": NotRequired["str | None"],
        "subset": NotRequired["Literal['original', 'preprocessed', 'augmented'] | None"],
        "split": NotRequired["Literal['train', 'validation', 'test', ''] | None"],
        "output_project": NotRequired["str | None"],
        "steps": NotRequired["list[StepBody] | None"],
        "template": NotRequired["str | None"],
        "variables": NotRequired["dict[str, JsonValue]"],
        "prompt": NotRequired["str | dict[str, Any] | None"],
        "group": NotRequired["bool | None"],
        "name": NotRequired["str"],
        "class": NotRequired["Literal['interactive', 'bulk'] | None"],
        "seed": NotRequired["int | None"],
        "budget": NotRequired["float | None"],
        "batch": NotRequired["bool"],
        "reuse": NotRequired["bool"],
        "notify": NotRequired["NotifyBody"],
    },
)


class JobList(TypedDict):
    data: "list[JobView]"
    has_more: bool
    after: NotRequired[str | None]


class JobMoneyView(TypedDict):
    """What a job’s model calls have cost."""

    cost: float
    held: float
    budget: float | None
    spent: "list[SpentView]"


JobState: TypeAlias = Literal[
    "expanding", "running", "cancelling", "succeeded", "partial", "failed", "cancelled", "expired"
]
JobView = TypedDict(
    "JobView",
    {
        "id": "str",
        "name": "str",
        "state": "str",
        "class": "str",
        "steps": "list[StepDoneView]",
        "inputs": "InputsView",
        "template": NotRequired["MadeFromView | None"],
        "seed": "int",
        "notify": "NotifyView",
        "generation": "int",
        "stage": NotRequired["int"],
        "stages": NotRequired["int"],
        "items": "int",
        "counts": "CountsView",
        "output_project": NotRequired["str | None"],
        "joined": NotRequired["int"],
        "spending": NotRequired["JobMoneyView | None"],
        "expired": NotRequired["int"],
        "progress": "ProgressView",
        "revision": "int",
        "created_at": "str",
        "started_at": "str | None",
        "finished_at": "str | None",
        "error": "str",
        "download": "DownloadView | None",
        "deleted_at": NotRequired["str | None"],
        "links": "dict[str, str]",
    },
)
JsonValue: TypeAlias = Any


class JudgedView(TypedDict):
    """What became of one of many captions."""

    id: str
    caption: "CaptionView | None"


class KeepingView(TypedDict):
    """What some members of a project come to by a rule."""

    keep_days: int | Literal["none", "installation"]
    alone_at: str | None
    goes: "dict[str, GoingView]"
    kept: "GoingView"
    why: dict[str, int]
    results: int
    mixed: int
    has_more: bool
    after: str | None


class KnownView(TypedDict):
    sha256: str
    file: str | None


class KnownsView(TypedDict):
    data: "list[KnownView]"


class LimitsView(TypedDict):
    bytes: int | None
    files: int | None
    jobs: int | None
    items: int | None
    requests: int | None


class Link(TypedDict):
    token: str


class LinkView(TypedDict):
    url: str
    expires_at: str
    name: str
    size: int
    media_type: str


class LinkingView(TypedDict):
    url: str


class MadeFromView(TypedDict):
    """The template that a job's steps were made from."""

    id: str
    version: int


class MailBody(TypedDict):
    finished: NotRequired[Literal["always", "long", "never"] | None]
    failed: NotRequired[Literal["always", "long", "never"] | None]


class MailChoices(TypedDict):
    """When the caller wants a mail about the end of a job of theirs."""

    finished: Literal["always", "long", "never"]
    failed: Literal["always", "long", "never"]


class ManagedList(TypedDict):
    data: "list[ManagedView]"
    has_more: bool
    after: NotRequired[str | None]


class ManagedView(TypedDict):
    """A user, as administrators see them."""

    id: str
    email: str
    name: str
    role: str
    verified: bool
    created_at: str
    disabled: bool
    customer: str


class MaskBody(TypedDict):
    """Runs of pixels down the columns, the first outside: COCO's, compressed or as numbers."""

    height: int
    width: int
    counts: str | list[int]


class MaskView(TypedDict):
    height: int
    width: int
    counts: str | list[int]


class MemberPaths(TypedDict):
    """Members by the paths that the list gives."""

    paths: list[str]


class MembersBody(TypedDict):
    files: list[str]


class MergeBody(TypedDict):
    into: int


class MonthView(TypedDict):
    month: str
    cost: float
    budget: "AllowedView"
    spent: "list[SpentView]"
    days: "list[DayView]"


class MovesBody(TypedDict):
    files: NotRequired[list[str] | None]
    members: NotRequired["Fields | None"]
    set: "Fields"


class NewInvitation(TypedDict):
    email: str
    role: NotRequired["Role"]
    project: NotRequired[str | None]
    share: NotRequired[Literal["viewer", "editor"] | None]


class NewPassword(TypedDict):
    current: NotRequired[str]
    new: str


class NewUser(TypedDict):
    email: str
    name: NotRequired[str]
    role: NotRequired["Role"]
    password: NotRequired[str | None]


class NewUserView(TypedDict):
    user: "ManagedView | None"
    invitation: "InvitedView | None"


class NewWebhookView(TypedDict):
    id: str
    url: str
    types: list[str]
    description: str
    enabled: bool
    reason: str | None
    failing_since: str | None
    old_secret_until: str | None
    created_at: str
    changed_at: str
    secret: str


class NotificationList(TypedDict):
    data: "list[NotificationView]"
    has_more: bool
    after: NotRequired[str | None]


class NotificationView(TypedDict):
    """What became of telling the caller of one end of a job."""

    channel: str
    generation: int
    state: Literal["waiting", "sent", "failed"]
    attempts: int
    error: str
    created_at: str
    finished_at: str | None


class NotificationsBody(TypedDict):
    email: "MailBody"


class NotificationsView(TypedDict):
    email: "MailChoices"


class NotifyBody(TypedDict):
    email: NotRequired[bool | None]


class NotifyView(TypedDict):
    """Who is told when a job has ended."""

    email: bool | None


class OperationList(TypedDict):
    data: "list[OperationView]"
    has_more: bool
    after: NotRequired[str | None]


class OperationView(TypedDict):
    name: str
    summary: str
    accepts: list[str]
    gives: str
    schema: dict[str, Any]


class OutcomeView(TypedDict):
    """What became of one file of many."""

    file: str
    ok: bool
    code: str
    error: str


class OutcomesView(TypedDict):
    data: "list[OutcomeView]"
    failed: int


class OwnedDailyList(TypedDict):
    data: "list[OwnedDailyView]"
    has_more: bool
    after: NotRequired[str | None]


class OwnedDailyView(TypedDict):
    day: str
    source: str
    media_type: str
    outcome: "Fate"
    files: int
    bytes: int
    items: int
    results: int
    result_bytes: int
    user: str


class ParametersBody(TypedDict):
    parameters: "dict[str, JsonValue]"


class PartList(TypedDict):
    data: "list[PartView]"
    has_more: bool
    after: NotRequired[str | None]


class PartView(TypedDict):
    """Bytes `start … start + size` of the file."""

    number: int
    start: int
    size: int
    arrived: bool
    request: "RequestView | None"


class PatchBody(TypedDict):
    """A change of some of it."""

    add: NotRequired["list[AnnotationBody]"]
    change: NotRequired["list[ChangedBody]"]
    remove: NotRequired[list[int | str]]
    labels: NotRequired[list[str] | None]


PlanView = TypedDict(
    "PlanView",
    {
        "dry_run": NotRequired["bool"],
        "items": "int",
        "at_least": "bool",
        "bytes": "int",
        "core_seconds": "float",
        "units": "int",
        "outputs": "int | None",
        "outputs_are": "Literal['exact', 'at_most', 'about'] | None",
        "reused": "int | None",
        "class": "str",
        "stages": "int",
        "kinds": "list[str]",
        "steps": "list[StepView]",
        "misfits": "list[FieldError]",
        "asks": "list[AskView]",
        "budget": "float | None",
        "exceeded": "list[ShortView]",
    },
)


class PreviewRequest(TypedDict):
    """The operation's parameters, and the image to show them on."""

    file: str
    parameters: NotRequired[dict[str, Any]]
    seed: NotRequired[int]
    whole: NotRequired[bool]


class PreviewView(TypedDict):
    """The first picture is the image as it is."""

    data: "list[ShownView]"


class PriceBody(TypedDict):
    """Dollars per million tokens, per picture, call and second; `batch` is a factor."""

    input: NotRequired[float]
    output: NotRequired[float]
    image: NotRequired[float]
    call: NotRequired[float]
    second: NotRequired[float]
    batch: NotRequired[float]


class PriceView(TypedDict):
    """Dollars per million tokens, per picture, call and second; `batch` is a factor."""

    input: float
    output: float
    image: float
    call: float
    second: float
    batch: float


class Problem(TypedDict):
    """An error as RFC 9457 describes it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: "list[FieldError]"
    retryable: bool
    instance: str
    details: NotRequired[dict[str, Any] | None]


class Profile(TypedDict):
    name: NotRequired[str | None]
    email: NotRequired[str | None]
    password: NotRequired[str]


class ProgressView(TypedDict):
    fraction: float
    running: int
    pending: int
    restoring: NotRequired[int]
    for_workers: NotRequired[int]
    seconds_left: float | None
    queue_position: NotRequired[int | None]
    queue_position_capped: NotRequired[bool]
    no_worker: NotRequired[bool]


class ProjectBody(TypedDict):
    name: str
    description: NotRequired[str]


class ProjectFileList(TypedDict):
    data: "list[ProjectFileView]"
    has_more: bool
    after: NotRequired[str | None]


class ProjectFileView(TypedDict):
    """A file as a member of a project."""

    id: str
    name: str
    media_type: str
    size: int
    sha256: str
    width: int
    height: int
    duration: float
    source: str
    state: str
    received: int
    for_workers: NotRequired[bool]
    code: str
    error: str
    tags: list[str]
    revision: int
    lineage: dict[str, Any]
    created_at: str
    expires_at: str | None
    trashed_at: str | None
    purge_at: str | None
    thumbnail: Literal["made", "coming", "none"]
    links: dict[str, str]
    subset: str
    split: str
    group: str
    added_at: str


class ProjectList(TypedDict):
    data: "list[ProjectView]"
    has_more: bool
    after: NotRequired[str | None]


class ProjectPatch(TypedDict):
    name: NotRequired[str | None]
    description: NotRequired[str | None]
    settings: NotRequired["SettingsBody | None"]
    keep_days: NotRequired[int | Literal["none", "installation"] | None]


class ProjectView(TypedDict):
    id: str
    name: str
    description: str
    files: int
    counts: dict[str, dict[str, int]]
    settings: dict[str, Any]
    keep_days: int | Literal["none", "installation"]
    keep_days_alone_at: str | None
    role: str
    revision: int
    created_at: str
    deleted_at: str | None
    links: dict[str, str]


class ProviderBody(TypedDict):
    address: str
    base_url: NotRequired[str | None]
    key: NotRequired[str | None]
    region: NotRequired[str | None]
    concurrency: NotRequired[int | None]
    per_minute: NotRequired[int | None]
    timeout: NotRequired[float | None]
    price: NotRequired["PriceBody | None"]
    options: NotRequired[dict[str, str] | None]
    name: str


class ProviderList(TypedDict):
    data: "list[ProviderView]"
    has_more: bool
    after: NotRequired[str | None]


class ProviderPatch(TypedDict):
    address: NotRequired[str | None]
    base_url: NotRequired[str | None]
    key: NotRequired[str | None]
    region: NotRequired[str | None]
    concurrency: NotRequired[int | None]
    per_minute: NotRequired[int | None]
    timeout: NotRequired[float | None]
    price: NotRequired["PriceBody | None"]
    options: NotRequired[dict[str, str] | None]


class ProviderView(TypedDict):
    name: str
    address: str
    base_url: str
    has_key: bool
    region: str
    concurrency: int
    per_minute: int | None
    timeout: float
    price: "PriceView | None"
    priced: str
    options: dict[str, str]
    source: str
    chains: list[str]
    traits: "TraitsView | None"
    health: "StateView"
    revision: int | None
    created_at: str | None


class QueueList(TypedDict):
    data: "list[QueueView]"
    has_more: bool
    after: NotRequired[str | None]


QueueView = TypedDict(
    "QueueView",
    {
        "class": "str",
        "ready": "int",
        "running": "int",
        "more": "bool",
        "waiting_since": "str | None",
    },
)


class QuotaBody(TypedDict):
    """The user's own limits: null is as for all users, 0 is no limit."""

    bytes: NotRequired[int | None]
    files: NotRequired[int | None]
    jobs: NotRequired[int | None]
    items: NotRequired[int | None]
    requests: NotRequired[int | None]


class QuotaOfUserView(TypedDict):
    """What one user may have."""

    user: str
    own: "LimitsView"
    limits: "LimitsView"
    used: "LimitsView"


class QuotaView(TypedDict):
    """One limit, and where its user stands."""

    quota: str
    used: float
    limit: float | None
    resets_at: str | None


class RecoveryView(TypedDict):
    recovery_codes: list[str]


class Registration(TypedDict):
    email: str
    password: str
    name: NotRequired[str]


class RemovedCaptionsView(TypedDict):
    removed: int
    has_more: bool


class RemovedFilesView(TypedDict):
    """How many files left; those that were no members are not counted."""

    removed: int


class RemovedMembersView(TypedDict):
    """What became of a deletion of members."""

    file: "FileView"
    deleted: int
    missing: list[str]


class ReplayBody(TypedDict):
    since: str


class ReplayView(TypedDict):
    """That what failed is being sent again."""

    webhook: str
    since: str


class RequestView(TypedDict):
    """A request to the bucket; who has it may send it, without a session, until it expires."""

    method: str
    url: str
    headers: dict[str, str]
    expires_at: str


class Reset(TypedDict):
    token: str
    password: str


class Restoring(TypedDict):
    email: str
    password: str
    code: NotRequired[str]


class ResultFileView(TypedDict):
    id: str
    name: str
    media_type: str
    size: int
    sha256: str
    info: dict[str, Any]
    annotations: NotRequired[dict[str, Any] | None]
    url: str


class ResultList(TypedDict):
    data: "list[ResultView]"
    has_more: bool
    after: NotRequired[str | None]


class ResultView(TypedDict):
    """What one item became."""

    stage: NotRequired[int]
    item: int
    input: str
    name: str
    path: str
    outcome: str
    files: "list[ResultFileView]"
    data: dict[str, Any] | None
    report: dict[str, Any]
    code: str
    error: str
    seconds: float


class RetagBody(TypedDict):
    files: list[str]
    add: NotRequired[list[str]]
    remove: NotRequired[list[str]]


class RetaggedView(TypedDict):
    """What became of the tags of one file of many."""

    file: str
    ok: bool
    code: str
    error: str
    added: list[str]
    removed: list[str]


class RetaggedsView(TypedDict):
    data: "list[RetaggedView]"
    failed: int


class ReviewBody(TypedDict):
    captions: list[str]
    state: Literal["new", "approved", "rejected"]


Role: TypeAlias = Literal["user", "analyst", "admin"]


class RotateBody(TypedDict):
    overlap_hours: NotRequired[int]


class SampleBody(TypedDict):
    name: NotRequired[str]


Scope: TypeAlias = Literal[
    "files:read",
    "files:write",
    "jobs:read",
    "jobs:write",
    "projects:read",
    "projects:write",
    "webhooks:read",
    "webhooks:write",
    "account:read",
    "account:write",
    "analytics:read",
    "admin",
]


class SessionView(TypedDict):
    token: str
    expires_at: str | None
    user: "UserView"


class SetUpView(TypedDict):
    secret: str
    uri: str
    qr_code: str


class SettingsBody(TypedDict):
    """What jobs, splits and exports over a project begin with."""

    steps: NotRequired["list[StepBody]"]
    split: NotRequired["SplitBody | None"]
    export: NotRequired[Literal["files", "coco", "yolo", "voc", "webdataset"] | None]
    seed: NotRequired[int | None]
    max_files: NotRequired[int | None]


class ShareBody(TypedDict):
    user: str
    role: Literal["viewer", "editor"]


class ShareList(TypedDict):
    data: "list[ShareView]"
    has_more: bool
    after: NotRequired[str | None]


class ShareView(TypedDict):
    """With whom a project is shared."""

    id: str
    email: str
    name: str
    role: str
    created_at: str


class ShortView(TypedDict):
    """A limit that a job would meet."""

    quota: str
    used: float
    limit: float | None
    resets_at: str | None
    needed: int


class ShownView(TypedDict):
    parameter: str
    place: str
    value: float | None
    width: int
    height: int
    image: str


class SignedInList(TypedDict):
    data: "list[SignedInView]"
    has_more: bool
    after: NotRequired[str | None]


class SignedInView(TypedDict):
    """Somewhere that the caller is signed in."""

    id: str
    current: bool
    agent: str
    address: str
    created_at: str
    used_at: str | None
    expires_at: str | None


class SpentView(TypedDict):
    """What calls of one model for one operation came to."""

    operation: str
    provider: str
    model: str
    calls: int
    failed: int
    input_tokens: int
    output_tokens: int
    images: int
    cost: float


class SplitBody(TypedDict):
    train: NotRequired[float]
    validation: NotRequired[float]
    test: NotRequired[float]
    seed: NotRequired[int]
    stratify: NotRequired[bool]
    group_by: NotRequired[list[Literal["video", "name", "near-duplicates"]]]
    keep: NotRequired[bool]


class StateView(TypedDict):
    """How it does, as all workers share it."""

    state: str
    problem: str
    rests_until: str | None
    rests: int
    error: str
    permits: int


class StepBody(TypedDict):
    operation: str
    parameters: NotRequired["dict[str, JsonValue]"]


class StepDoneView(TypedDict):
    """A step of a job, with what became known as it ran."""

    operation: str
    parameters: dict[str, Any]
    agreed: NotRequired[dict[str, Any] | None]


class StepView(TypedDict):
    operation: str
    parameters: dict[str, Any]


class StrList(TypedDict):
    data: list[str]
    has_more: bool
    after: NotRequired[str | None]


class SumsView(TypedDict):
    """What some figures come to; what is not counted of such things is 0."""

    count: int
    succeeded: int
    failed: int
    success_rate: float | None
    bytes: int
    items: int
    results: int
    result_bytes: int
    timed: int
    seconds_mean: float | None
    seconds_p50: float | None
    seconds_p95: float | None
    input_tokens: int
    output_tokens: int
    images: int
    cost: float


class TaskList(TypedDict):
    data: "list[TaskView]"
    has_more: bool
    after: NotRequired[str | None]


class TaskView(TypedDict):
    """Work on a project."""

    id: str
    kind: str
    state: str
    done: int
    total: int
    progress: float
    request: dict[str, Any]
    outcome: dict[str, Any]
    code: str
    error: str
    created_at: str
    finished_at: str | None
    links: dict[str, str]


class TemplateBody(TypedDict):
    name: str
    description: NotRequired[str]
    steps: "list[StepBody]"
    variables: NotRequired["dict[str, VariableBody]"]


class TemplateList(TypedDict):
    data: "list[TemplateView]"
    has_more: bool
    after: NotRequired[str | None]


class TemplatePatch(TypedDict):
    name: NotRequired[str | None]
    description: NotRequired[str | None]
    steps: NotRequired["list[StepBody] | None"]
    variables: NotRequired["dict[str, VariableBody] | None"]


class TemplateShareBody(TypedDict):
    user: str
    role: Literal["viewer", "editor"]


class TemplateShareList(TypedDict):
    data: "list[TemplateShareView]"
    has_more: bool
    after: NotRequired[str | None]


class TemplateShareView(TypedDict):
    user: str
    email: str
    name: str
    role: str
    created_at: str


class TemplateVersionList(TypedDict):
    data: "list[TemplateVersionView]"
    has_more: bool
    after: NotRequired[str | None]


class TemplateVersionView(TypedDict):
    version: int
    description: str
    steps: "list[StepView]"
    variables: "dict[str, VariableView]"
    created_at: str


class TemplateView(TypedDict):
    id: str
    name: str
    description: str
    role: str
    by: str
    version: int
    steps: "list[StepView]"
    variables: "dict[str, VariableView]"
    created_at: str
    changed_at: str
    links: dict[str, str]


class TestBody(TypedDict):
    type: NotRequired[str]


class TokenList(TypedDict):
    data: "list[TokenView]"
    has_more: bool
    after: NotRequired[str | None]


class TokenRequest(TypedDict):
    name: str
    expires_in_days: NotRequired[int | None]
    scopes: NotRequired["list[Scope] | None"]


class TokenView(TypedDict):
    id: str
    name: str
    scopes: "list[Scope] | None"
    created_at: str
    used_at: str | None
    expires_at: str | None


class TraitsView(TypedDict):
    """What it can be asked."""

    kinds: list[str]
    images: int
    long_side: int
    input_bytes: int
    output_tokens: int
    schema: bool
    multilingual: bool
    instructed: bool


class TrialBody(TypedDict):
    file: NotRequired[str | None]


class TrialLabelView(TypedDict):
    name: str
    confidence: float


class TrialView(TypedDict):
    """What came of asking a provider about one picture."""

    ok: bool
    kind: str
    text: str
    labels: "list[TrialLabelView]"
    model: str
    milliseconds: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    code: str
    error: str


class TryView(TypedDict):
    at: str
    milliseconds: int
    status: int | None
    said: str | None


class UnaskedView(TypedDict):
    id: str
    message: str


class UploadView(TypedDict):
    id: str
    name: str
    state: str
    offset: int
    size: int | None
    direct: bool
    tags: list[str]
    project: str | None
    file: str | None
    for_workers: bool
    code: str | None
    error: str | None
    created_at: str
    expires_at: str
    links: dict[str, str]


class UploadedList(TypedDict):
    data: "list[UploadedView]"
    has_more: bool
    after: NotRequired[str | None]


class UploadedView(TypedDict):
    id: str
    name: str
    media_type: str
    size: int
    sha256: str
    width: int
    height: int
    duration: float
    source: str
    state: str
    received: int
    for_workers: NotRequired[bool]
    code: str
    error: str
    tags: list[str]
    revision: int
    lineage: dict[str, Any]
    created_at: str
    expires_at: str | None
    trashed_at: str | None
    purge_at: str | None
    thumbnail: Literal["made", "coming", "none"]
    links: dict[str, str]
    duplicate: NotRequired[bool]
    project: NotRequired[str | None]


class UsageView(TypedDict):
    bytes: int
    results_bytes: int
    quota_bytes: int | None
    quotas: "list[QuotaView]"


class UserChanges(TypedDict):
    role: NotRequired["Role | None"]
    disabled: NotRequired[bool | None]
    name: NotRequired[str | None]
    customer: NotRequired[str | None]


class UserSpentList(TypedDict):
    data: "list[UserSpentView]"
    has_more: bool
    after: NotRequired[str | None]


class UserSpentView(TypedDict):
    operation: str
    provider: str
    model: str
    calls: int
    failed: int
    input_tokens: int
    output_tokens: int
    images: int
    cost: float
    user: str
    email: str
    name: str


class UserUsageList(TypedDict):
    data: "list[UserUsageView]"
    has_more: bool
    after: NotRequired[str | None]


class UserUsageView(TypedDict):
    user: str
    email: str
    name: str
    bytes: int
    results_bytes: int


class UserView(TypedDict):
    id: str
    email: str
    name: str
    role: str
    verified: bool
    created_at: str


class VariableBody(TypedDict):
    type: NotRequired[Literal["string", "integer", "number", "boolean", "list", "object", "any"]]
    required: NotRequired[bool | None]
    default: NotRequired["JsonValue"]
    description: NotRequired[str]


class VariableView(TypedDict):
    type: str
    required: bool
    default: Any
    description: str


Verdict: TypeAlias = Literal["done", "denied"]


class Verification(TypedDict):
    token: str


class VersionBody(TypedDict):
    name: NotRequired[str]
    steps: NotRequired["list[StepBody]"]
    seed: NotRequired[int | None]
    subsets: NotRequired[list[Literal["original", "preprocessed", "augmented"]]]


class VersionList(TypedDict):
    data: "list[VersionView]"
    has_more: bool
    after: NotRequired[str | None]


class VersionView(TypedDict):
    """A project as it was frozen."""

    id: int
    number: int
    name: str
    state: str
    hash: str
    files: int
    bytes: int
    summary: dict[str, Any]
    steps: list[dict[str, Any]]
    seed: int | None
    subsets: list[str]
    job: str | None
    task: str
    lost: int
    error: str
    created_at: str
    finished_at: str | None
    links: dict[str, str]


class WebhookBody(TypedDict):
    url: str
    types: NotRequired[list[str]]
    description: NotRequired[str]
    enabled: NotRequired[bool]


class WebhookList(TypedDict):
    data: "list[WebhookView]"
    has_more: bool
    after: NotRequired[str | None]


class WebhookPatch(TypedDict):
    url: NotRequired[str | None]
    types: NotRequired[list[str] | None]
    description: NotRequired[str | None]
    enabled: NotRequired[bool | None]


class WebhookView(TypedDict):
    id: str
    url: str
    types: list[str]
    description: str
    enabled: bool
    reason: str | None
    failing_since: str | None
    old_secret_until: str | None
    created_at: str
    changed_at: str


class WholeDeliveryView(TypedDict):
    id: str
    type: str
    state: str
    attempts: int
    status: int | None
    said: str | None
    created_at: str
    tried_at: str | None
    next_try_at: str | None
    tries: "list[TryView]"
    body: str


class WorkerList(TypedDict):
    data: "list[WorkerView]"
    has_more: bool
    after: NotRequired[str | None]


class WorkerView(TypedDict):
    """A process that takes jobs."""

    id: str
    name: str
    host: str
    pid: int
    version: str
    classes: list[str]
    state: Literal["running", "draining", "drained", "lost"]
    drain: bool
    running: int
    started_at: str
    seen_at: str
