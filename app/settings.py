"""The gateway's settings, from `UMAIL_GATEWAY_…` environment variables and `.env`."""

from pydantic import Field

from app.service_settings import ServiceSettings
from app.setting_types import (
    Bytes,
    CertificatesFile,
    Networks,
    Seconds,
    TimeZone,
)
from app.tenants.models import Lifetimes


class Settings(ServiceSettings):
    """Every setting; `make docs` writes the descriptions into `helm/README.md`."""

    upstream_timezone: TimeZone = Field("Asia/Shanghai", description="Zone of the platform's local times.")
    allowed_upstreams: Networks | None = Field(
        None,
        description="Networks in which platforms and relays may be although they are link-local, multicast or a cloud's"
        " metadata, which are refused otherwise; with commas between.",
    )
    refused_upstreams: Networks | None = Field(
        None, description="Further networks in which platforms and relays may not be, with commas between."
    )
    upstream_connections: int = Field(100, ge=1, description="Connections to the platform, all tenants together.")
    connect_timeout: Seconds = Field(5.0, description="Seconds to wait for a connection to the platform.")
    interactive_timeout: Seconds = Field(15.0, description="Seconds a read may take in all.")
    write_timeout: Seconds = Field(30.0, description="Seconds a change may take in all.")
    export_timeout: Seconds = Field(600.0, description="Seconds an export may take in all.")
    export_idle_timeout: Seconds = Field(
        30.0, description="Seconds to wait for the next bytes of an export; waiting for the client does not count."
    )
    upload_timeout: Seconds = Field(300.0, description="Seconds an upload may take in all.")
    retry_attempts: int = Field(3, ge=1, le=5, description="Most tries of a call that may be repeated; 1 for one only.")
    retry_base: Seconds = Field(0.1, description="Seconds of the first wait between tries at most; it doubles.")
    retry_cap: Seconds = Field(2.0, description="Seconds of the longest wait between tries.")
    retry_budget: float = Field(
        0.2, ge=0, le=1, description="Most retries of one platform, as a share of the calls made to it."
    )
    breaker_window: Seconds = Field(30.0, description="Seconds over which a platform's failures are counted.")
    breaker_minimum_calls: int = Field(20, ge=1, description="Calls in the window without which nothing is concluded.")
    breaker_failure_ratio: float = Field(
        0.5, gt=0, le=1, description="Share of failed or slow calls from which a platform is left alone for a while."
    )
    breaker_slow_call: Seconds = Field(10.0, description="Seconds from which a call counts as a failed one.")
    breaker_open_for: Seconds = Field(15.0, description="Seconds for which a failing platform is left alone.")
    login_refusals: int = Field(
        5, ge=1, description="Refusals of a tenant's U-Mail login in a row after which it is not tried for a while."
    )
    login_pause: Seconds = Field(60.0, description="Seconds for which a refused login is not tried.")
    queue_length: int = Field(
        50, ge=0, description="Calls that may wait for a slot, per tenant and per platform; exports are counted apart."
    )
    queue_wait: Seconds = Field(2.0, description="Seconds a call may wait for a slot.")
    export_share: float = Field(
        0.5, gt=0, le=1, description="Most of the slots that exports and uploads may take, so that others find one."
    )
    max_requests: int = Field(1000, ge=1, description="Requests under way in one process; more are refused (503).")
    cache_bytes: int = Field(
        64 * 1024 * 1024, ge=0, description="Most memory of the answers kept in the process with `STATE_URL=memory://`."
    )
    cache_tenant_bytes: int = Field(
        16 * 1024 * 1024, ge=0, description="Most bytes of one tenant's answers in the store that `STATE_URL` names."
    )
    cache_lifetimes: Lifetimes = Field(
        default_factory=dict,
        description='Seconds for which answers are kept, by operation, as JSON: `{"lists.list": 5, "*": 60}`; `*` is'
        " every other operation, 0 keeps nothing.",
    )
    events_days: int = Field(30, ge=1, le=3650, description="Days for which events can be read.")
    webhook_networks: Networks | None = Field(
        None,
        description="Networks in which webhooks may be although they are not public, and where plain http will do; with"
        " commas between.",
    )
    events_in_serve: bool | None = Field(
        None,
        description="Whether the processes that serve watch accounts and deliver webhooks themselves; by default only"
        " with `STATE_URL=memory://`, where there is one process: otherwise `umail-gateway events` does.",
    )
    duplicate_window: float = Field(
        10.0, ge=0, le=1440, description="Minutes for which an equal campaign is taken for a mistake; 0 for never."
    )
    send_lookup_time: float = Field(
        3.0, ge=0, le=60, description="Seconds for which a campaign whose creation went unanswered is looked for."
    )
    smtp_connect_timeout: Seconds = Field(15.0, description="Seconds to wait for a tenant's SMTP relay to greet.")
    smtp_reply_timeout: Seconds = Field(30.0, description="Seconds to wait for a relay's reply to a command.")
    smtp_timeout: Seconds = Field(120.0, description="Seconds the submission of a message may take in all.")
    smtp_idle_timeout: Seconds = Field(15.0, description="Seconds a relay connection is kept for the next message.")
    smtp_connections: int = Field(5, ge=1, description="Relay connections of one tenant at once; more messages wait.")
    smtp_ca_file: CertificatesFile | None = Field(
        None, description="PEM file of authorities to trust for relays with TLS, beside the system's."
    )
    max_header_bytes: Bytes = Field(
        32 * 1024, description="Largest head of a request: its URL, at most 8192 bytes, and its headers, at most 100."
    )
    header_timeout: Seconds = Field(10.0, description="Seconds for which the head of a request may take to arrive.")
    body_timeout: Seconds = Field(
        30.0, description="Seconds for which a body may keep the gateway waiting; each thousand bytes add one."
    )
    stall_timeout: Seconds = Field(
        60.0, description="Seconds for which a client may leave unread what it is sent; then it is cut off."
    )
    max_body_bytes: Bytes = Field(10 * 1024 * 1024, description="Largest request body, except of an import.")
    max_import_bytes: Bytes = Field(1024 * 1024 * 1024, description="Largest body of an import.")
    spool_bytes: Bytes = Field(
        4 * 1024 * 1024 * 1024, description="Most bytes that all imports of a worker may have in temporary files."
    )
    max_import_rows: int = Field(2_000_000, ge=1, description="Most rows of an import; each takes 8 bytes of memory.")
    import_idle_timeout: Seconds = Field(30.0, description="Seconds for which the body of an import may pause.")
    import_wait_max: int = Field(60, ge=0, le=3600, description="Most seconds that `Prefer: wait` may wait.")
    import_poll_interval: Seconds = Field(
        0.5, description="Seconds after which a waited-for import is first looked at again; they grow up to 5."
    )
    max_reply_bytes: Bytes = Field(16 * 1024 * 1024, description="Largest platform reply read into memory.")
    max_record_length: int = Field(
        65_536, ge=1024, description="Most characters of one record or line of an export, whose size has no limit."
    )
    drain_time: float = Field(
        0.0,
        ge=0,
        le=300,
        description="Seconds between saying that it is not ready any more and accepting no more connections, so that"
        " load balancers notice.",
    )
    shutdown_timeout: int = Field(30, ge=1, description="Seconds that requests under way get to finish on shutdown.")

    @property
    def keeps_master_key(self) -> bool:
        """Whether the master key outlives the process."""
        named = self.master_key is not None or self.master_key_file is not None
        return named or self.database_url is None or self.tenants_in_database

    @property
    def runs_events(self) -> bool:
        """Whether the processes that serve watch accounts and deliver webhooks."""
        return not self.shares_state if self.events_in_serve is None else self.events_in_serve
