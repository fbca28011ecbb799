"""Every setting, read once from the environment (`MEDIAMILL_…`); nothing else reads it.

One URL per port chooses its backend. The defaults run everything embedded under one folder.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from mediamill.core.referring import PREFIX, ReferringSettings
from mediamill.core.urls import ascii_url

TASK_AGENT = "ECS_AGENT_URI"
"""ECS's own variable: where a task's container reaches the agent of its machine."""
Dollars = Annotated[float | None, BeforeValidator(lambda said: None if said == "" else said)]
"""An amount; what is set to nothing is none, for templates that always set it."""


class Settings(ReferringSettings):
    """The service's configuration; see docs/reference/settings.md for the same list in prose."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    home: Path = Field(
        Path("~/.mediamill"), description="Folder of all embedded state: database, files, outbox."
    )
    store_url: str = Field(
        "", description="Metadata store; default `sqlite:///{home}/mediamill.db`."
    )
    blobs_url: str = Field("", description="Bytes of files; default `file:///{home}/blobs`.")
    results_url: str = Field("", description="Bytes of results; default: the same as blobs_url.")
    broker_url: str = Field(
        "",
        description="Doorbells between processes; default `postgresql:` where that is the store, "
        "else `inprocess:`.",
    )
    stream_url: str = Field(
        "none:", description="Where messages are taken from; `kafka://broker:9092` or `kafkas://…`."
    )
    stream_topics: str = Field(
        "",
        description="What is taken from which topic, and whose it is: "
        "`images=customer:acme,template:thumbs;…`, or a `.toml` file.",
    )
    public_url: str = Field("", description="Address that users see; default: the bound address.")
    trusted_proxies: str = Field(
        "",
        description="Addresses and networks of reverse proxies whose `Forwarded` and "
        "`X-Forwarded-…` headers are believed; from others they count for nothing.",
    )
    cors_origins: str = Field(
        "",
        description="Origins whose pages may use the API with tokens, such as "
        "`https://app.example.org`; none by default, and never with cookies.",
    )
    tls_certificate: str = Field(
        "", description="File (PEM) of the certificate to serve HTTPS with, its chain behind it."
    )
    tls_key: str = Field(
        "", description="File (PEM) of the certificate’s key; default: the certificate’s own file."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8750, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    providers: str = Field(
        "", description="File (`.toml`) that sets up providers of model calls and chains of them."
    )
    caption_chain: str = Field(
        "",
        description="Who writes captions, first to last: names of providers, or addresses such as "
        "`bedrock:amazon.nova-lite-v1:0`, with commas between.",
    )
    label_chain: str = Field("", description="Who labels images, likewise.")
    prompt_chain: str = Field("", description="Who answers prompts, likewise.")
    prices: str = Field(
        "", description="File (`.toml`) with your own prices of model calls, before those shipped."
    )
    budget: Dollars = Field(
        None, ge=0, description="The most that all model calls of a month may cost, in US dollars."
    )
    user_budget: Dollars = Field(
        None, ge=0, description="The most that one user's model calls of a month may cost."
    )
    answer_seconds: float = Field(
        120.0, gt=0, le=3600, description="Until when a question must be answered, by anybody."
    )
    calls_in_flight: int = Field(
        64, ge=1, le=4096, description="Items for which one worker asks models at a time."
    )
    registration: bool = Field(
        default=True, description="Whether anybody who reaches the page may register."
    )
    verify: Literal["auto", "off", "ask", "demand"] = Field(
        "auto",
        description="Whether who registers is asked by mail to verify their address (`ask`), and "
        "may change nothing before (`demand`); `auto` asks where mails go out to a server.",
    )
    password_length: int = Field(
        15,
        ge=8,
        le=64,
        description="Fewest characters of a new password; 8 where all have a second factor too.",
    )
    mfa: Literal["off", "admins", "everybody"] = Field(
        "off",
        description="Who must have a second factor beside a password: `off` (whoever wants), "
        "`admins`, `everybody`.",
    )
    secret: SecretStr = Field(
        SecretStr(""),
        description="Key that signs links, the same on all servers; default: made once and kept in "
        "home.",
    )
    secret_previous: SecretStr = Field(
        SecretStr(""),
        description="What the secret was before: links that it signed work on until they end.",
    )
    secrets_seconds: float = Field(
        300,
        ge=1,
        le=86_400,
        description="How long a secret is believed that a setting refers to, before its keeper is "
        "asked again; at once when a server refuses it.",
    )
    sealing_url: str = Field(
        "local:",
        description="Keys that seal secrets in the database, the same on all servers; default: "
        "made once and kept in home.",
    )
    log_format: str = Field("auto", pattern="^(auto|json|text)$", description="Log rendering.")
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="Least level that is logged."
    )

    otlp_url: str = Field(
        "",
        description="Collector of traces that takes OTLP over HTTP, as in `http://127.0.0.1:4318`; "
        "default: nobody.",
    )
    trace_share: float = Field(
        1.0, ge=0, le=1, description="Share of traces that are sent there, chosen by their ids."
    )
    metrics_log: Literal["", "emf"] = Field(
        "",
        description="Whether a process writes what it counts to its standard output each minute: "
        "`emf`, as CloudWatch reads it.",
    )
    metrics_installation: str = Field(
        "",
        description="What these lines name as the dimension `Installation`, so that two of one "
        "account are told apart; default: none.",
    )
    metrics_allow: str = Field(
        "", description="Networks that may see `/metrics` of the API, beside this machine."
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port of a worker or ingest by itself for `/metrics` and `/health/…`; 0: none.",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address of that port; nobody is asked who they are there."
    )

    slots: int = Field(0, ge=0, le=256, description="CPU slots of a worker; 0 means one a core.")
    lease_seconds: float = Field(30, ge=0.5, le=3600, description="Length of a unit's lease.")
    poll_seconds: float = Field(
        1, gt=0, le=60, description="How often a worker looks for work without a doorbell."
    )
    slot_memory_mb: int = Field(2048, ge=256, description="Address space limit of a slot, MiB.")
    slot_timeout_seconds: float = Field(
        3600, gt=0, description="Longest time that one input may take in a slot."
    )
    crash_limit: int = Field(
        3, ge=1, le=10, description="How often an item may kill its slot before it is failed."
    )

    protection_url: str = Field(
        "none:",
        description="Who is told while a worker has work, so that it is not ended for being one "
        "too many: `none:`, nobody, or `ecs:`, the agent of the ECS task that it runs in.",
    )

    function_margin_seconds: float = Field(
        10,
        ge=0.1,
        le=300,
        description="How long before the end of a function's time its leases end; its work stops "
        "as long before that.",
    )
    function_unit_seconds: float = Field(
        300,
        gt=0,
        description="What is estimated to take longer is left to workers by functions.",
    )

    segment_seconds: float = Field(
        600,
        ge=0,
        description="Videos that last longer are done in parts beside each other; 0 does none so.",
    )

    max_upload_bytes: int = Field(20 << 30, ge=1, description="Largest file taken in, bytes.")
    quota_bytes: int = Field(
        0, ge=0, description="Most bytes that one user keeps, results and trash too; 0: no limit."
    )
    quota_files: int = Field(
        0, ge=0, description="Most files that one user keeps, those in the trash too; 0: no limit."
    )
    quota_jobs: int = Field(
        0, ge=0, description="Most jobs of one user that are open at a time; 0: no limit."
    )
    quota_items: int = Field(
        0, ge=0, description="Most items that one user's jobs run in a month; 0: no limit."
    )
    rate_requests: int = Field(
        0, ge=0, description="Most requests of one user in a minute, over all servers; 0: no limit."
    )
    rate_previews: int = Field(
        600, ge=0, description="Most previews that one user asks for in a minute; 0: no limit."
    )
    rate_nobody: int = Field(
        6_000,
        ge=0,
        description="Most requests in a minute from one address by whom nobody knows; 0: no limit.",
    )
    retention: str = Field(
        "stream=7d",
        description="How long files are kept, by the way they came, and all that was made of them: "
        "`stream=7d; upload=90d; import=none`; `h` and `d` are hours and days. `project=180d` is "
        "the most that projects keep.",
    )
    audit_days: int = Field(
        365, ge=1, le=36_500, description="How long it is kept who did what and who was denied."
    )
    max_pixels: int = Field(50_000_000, ge=1, description="Most pixels of an image, frames summed.")
    min_free_bytes: int = Field(
        512 << 20, ge=0, description="Room kept free on the blobs' disk; uploads get 507 below it."
    )

    direct_transfers: bool = Field(
        default=True,
        description="Whether files may go to and come from a bucket past this service; turn it off "
        "where others cannot reach the bucket.",
    )
    direct_downloads: bool = Field(
        default=False,
        description="Whether files are answered by redirecting to the bucket without being asked.",
    )

    identity_url: str = Field(
        "local:",
        description="Who signs people in beside this service: `local:`, nobody, or an OpenID "
        "Connect issuer, `oidc+https://…`.",
    )
    mail_url: str = Field(
        "", description="How mails go out; default: into files, `outbox:///{home}/outbox`."
    )
    backup_url: str = Field(
        "",
        description="Where backups go: a folder, or a bucket, `s3://…`. Without it none are made "
        "by themselves.",
    )
    backup_every: str = Field(
        "30m",
        pattern=r"^[1-9]\d{0,4}[mhd]$",
        description="How often a worker makes a backup: `30m`, `6h`, `1d`.",
    )
    backup_keep_days: int = Field(
        30,
        ge=1,
        le=36_500,
        description="For how long backups are kept, and so what was deleted is still in one: all "
        "of the last day, then one a day.",
    )
    backup_passphrase: SecretStr = Field(
        SecretStr(""),
        description="Seals the keys of home in backups; without it they are not in them, and to be "
        "kept apart.",
    )

    analytics_url: str = Field(
        "",
        description="Where figures are exported to as Parquet, every hour: `s3://bucket/folder`, "
        "or a folder's absolute path; nowhere by default.",
    )
    events_url: str = Field(
        "none:", description="Where events go beside webhooks: `none:`, or a topic, `sns://…`."
    )

    fetch_allow: str = Field(
        "",
        description="Networks, addresses and hosts, each with `:port` or `:*`, that may be fetched "
        "from though they are not public.",
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_under_home(cls, values: dict[str, Any]) -> dict[str, Any]:
        home = Path(values.get("home") or "~/.mediamill").expanduser().absolute()
        values = {**values, "home": home}
        place = quote(str(home).lstrip("/"))
        values["store_url"] = values.get("store_url") or f"sqlite:///{place}/mediamill.db"
        rings = "postgresql:" if values["store_url"].startswith("postgresql:") else "inprocess:"
        values["broker_url"] = values.get("broker_url") or rings
        values["blobs_url"] = values.get("blobs_url") or f"file:///{place}/blobs"
        values["results_url"] = values.get("results_url") or values["blobs_url"]
        values["mail_url"] = values.get("mail_url") or f"outbox:///{place}/outbox"
        if values.get("protection_url") == "ecs:":
            values["protection_url"] = f"ecs:{os.environ.get(TASK_AGENT, '')}"
        return values

    @field_validator("public_url")
    @classmethod
    def _as_mails_and_browsers_say_it(cls, url: str) -> str:
        return ascii_url(url)

    def __repr__(self) -> str:
        """Show no setting: addresses hold passwords."""
        return f"Settings(home={str(self.home)!r})"

    __str__ = __repr__

    @property
    def address(self) -> str:
        """The address that users see, as far as it is known: else the one that is listened on."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        scheme = "https" if self.tls_certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def own_keyring(self) -> bool:
        """Whether the keys that seal secrets are those that lie in this home."""
        return self.sealing_url.split()[:1] in ([], ["local:"])

    @property
    def several(self) -> bool:
        """Whether servers on other machines may be part of the same installation."""
        return not self.store_url.startswith(("sqlite:", "memory:"))
