"""For each form of the pages, something wrong to send, and whether the page says what it is."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import expect

from mediamill.web.pages import rendering

TEMPLATES = Path(rendering.__file__).parent.parent / "templates"
NO = "This is only a trial of what is said."
LONG = "x" * 3000
REFUSED, UNSURE = "invalid_request", "confirmation_needed"


@dataclass(frozen=True)
class Wrong:
    """What is sent wrongly on a page, and by what steps one comes to the form."""

    path: str
    """Its page, as in the list of pages."""
    fill: dict[str, str] = field(default_factory=dict)
    """Values of fields, `""` for what is in a file; without any, what the form has is sent."""
    refused: str = ""
    """The code with which the service is made to refuse, if nobody can fill it in wrongly."""
    before: tuple[str, ...] = ()
    """What is pressed before."""
    after: tuple[str, ...] = ()
    """What is pressed once it is sent."""
    told: str = ""
    """Where it is said, if not in the form."""
    form: str = ""
    """The form on its page, where its id does not tell."""


WRONG = {
    ("account/data.html", "close"): Wrong("/account", {"word": "somebody else"}),
    ("account/feedback.html", "say"): Wrong("/account", {"text": ""}),
    ("account/notifications.html", "notifications"): Wrong("/account", refused=REFUSED),
    ("account/profile.html", "name-form"): Wrong("/account", {"name": LONG}),
    ("admin/retention.html", ""): Wrong(
        "/admin/retention", {"rules": "nonsense"}, form="form[action]"
    ),
    ("admin/user.html", "change-user"): Wrong("/admin/users/{user_id}", {"name": LONG}),
    ("admin/user.html", "quota"): Wrong("/admin/users/{user_id}", {"bytes": "-1"}),
    ("admin/users.html", "add-user"): Wrong("/admin/users", {"email": "nobody"}),
    ("analytics.html", ""): Wrong(
        "/analytics", {"from": "2026-11-21", "to": "2026-11-20"}, form="form.asked"
    ),
    ("annotate.html", "new-class"): Wrong(
        "/projects/{project_id}/annotate/{file_id}", {"name": ""}
    ),
    ("captions.html", "ask"): Wrong("/captions"),
    ("captions_review.html", "again-form"): Wrong(
        "/captions/review", refused=REFUSED, before=("#again",)
    ),
    ("classes.html", "class-form"): Wrong(
        "/projects/{project_id}/classes", {"name": ""}, before=("#add",)
    ),
    ("classes.html", "import"): Wrong("/projects/{project_id}/classes", {"": "no annotations"}),
    ("file.html", "link-form"): Wrong("/files/{file_id}", refused=REFUSED, before=("#link",)),
    ("file.html", "name-form"): Wrong("/files/{file_id}", {"name": ""}),
    ("file.html", "tag-form"): Wrong("/files/{file_id}", {"tag": LONG}),
    ("forgot.html", "forgot"): Wrong("/forgot", {"email": LONG}),
    ("health.html", "check"): Wrong(
        "/projects/{project_id}/health", {"similarity": "0.1"}, told="#health"
    ),
    ("home.html", "tag-form"): Wrong(
        "/", {"tags": LONG}, before=("#grid li:first-child .pick input", "#tag")
    ),
    ("invitation.html", "invitation"): Wrong(
        "/invitation", {"password": "correct horse battery"}
    ),
    ("job.html", "bring-form"): Wrong("/jobs/{job_id}", refused=REFUSED),
    ("models.html", "provider"): Wrong("/models", {"name": ""}),
    ("new_job.html", "new-job"): Wrong("/jobs/new"),
    ("parts/confirming.html", ""): Wrong(
        "/account", {"password": "wrong"}, refused=UNSURE, before=("#export button",),
        form="#confirming form",
    ),
    ("parts/join_dialog.html", "join-form"): Wrong(
        "/files/{file_id}", {"name": ""}, before=("#join",)
    ),
    ("parts/models.html", ""): Wrong(
        "/models", {"provider": "nobody"}, form="[data-chain=caption] form",
        told="[data-chain=caption]",
    ),
    ("parts/password.html", "address-form"): Wrong(
        "/account", {"email": "nobody"}, before=("#sign-in summary",)
    ),
    ("parts/password.html", "password-form"): Wrong("/account", {"current": "x", "new": "short"}),
    ("parts/second_factor.html", "first-code"): Wrong(
        "/account", {"code": "1"}, before=("[data-factor=begin]",)
    ),
    ("parts/tokens.html", "new-token"): Wrong("/account", {"name": ""}),
    ("process.html", "run"): Wrong("/projects/{project_id}/process", {"seed": "-1"}),
    ("project.html", "copy-form"): Wrong(
        "/projects/{project_id}", {"name": ""},
        before=("#grid li:first-child input", "#copy"),
    ),
    ("projects.html", "new"): Wrong("/projects", {"name": ""}),
    ("projects.html", "sample"): Wrong("/projects", refused=REFUSED, told="#problem"),
    ("prompts.html", "ask"): Wrong("/prompts"),
    ("prompts.html", "share-form"): Wrong(
        "/prompts", {"user": "nobody"}, before=("#gallery button:has-text('Share')",)
    ),
    ("reset.html", "reset"): Wrong("/reset", {"password": "correct horse battery"}),
    ("settings.html", "about"): Wrong("/projects/{project_id}/settings", {"name": ""}),
    ("settings.html", "copy"): Wrong("/projects/{project_id}/settings", {"files": "0"}),
    ("settings.html", "end"): Wrong("/projects/{project_id}/settings", refused=REFUSED),
    ("settings.html", "expert"): Wrong("/projects/{project_id}/settings", {"seed": "-1"}),
    ("settings.html", "keep"): Wrong("/projects/{project_id}/settings", {"keep_days": "never"}),
    ("settings.html", "ratios"): Wrong("/projects/{project_id}/settings", {"train": "-1"}),
    ("settings.html", "share"): Wrong("/projects/{project_id}/settings", {"user": "nobody"}),
    ("signin.html", "login"): Wrong("/signin", {"email": "a@example.org", "password": "wrong"}),
    ("signin.html", "register"): Wrong(
        "/signin", {"email": "nobody"}, before=("summary:has-text('New here')",)
    ),
    ("spending.html", ""): Wrong(
        "/spending", {"monthly": "-1"}, form="[data-budget=everybody]"
    ),
    ("split.html", "form"): Wrong("/projects/{project_id}/split", {"train": "-1"}),
    ("verify.html", "verify"): Wrong("/verify"),
    ("versions.html", "new"): Wrong("/projects/{project_id}/versions", {"seed": "-1"}),
    ("webhook.html", "again"): Wrong("/webhooks/{webhook_id}", refused=REFUSED),
    ("webhook.html", "change"): Wrong(
        "/webhooks/{webhook_id}", {"url": "nowhere"}, before=("details:has(#change) > summary",)
    ),
    ("webhook.html", "end"): Wrong(
        "/webhooks/{webhook_id}", refused=REFUSED, before=("details:has(#end) > summary",),
        after=("dialog[open] .danger",),
    ),
    ("webhook.html", "rotate"): Wrong(
        "/webhooks/{webhook_id}", {"overlap_hours": "1000"},
        before=("details:has(#rotate) > summary",),
    ),
    ("webhook.html", "test"): Wrong("/webhooks/{webhook_id}", refused=REFUSED),
    ("webhooks.html", "add"): Wrong("/webhooks", {"url": "nowhere"}),
}  # fmt: skip
RIGHT = {
    ("admin/audit.html", ""), ("admin/users.html", ""),
    ("captions_history.html", "filters"),
    ("captions_review.html", "filters"), ("home.html", "filters"), ("jobs.html", "filters"),
    ("project.html", "filters"), ("spending.html", "months"), ("webhook.html", "filter"),
    # nothing is sent: they close something, or change what is saved later
    ("annotate.html", "label-form"), ("base.html", ""), ("process.html", "form"),
    # without a script, with one button; what is wrong then is a page
    ("erasure.html", ""), ("unsubscribe.html", ""),
}  # fmt: skip
"""Forms that only look for something, and those that cannot be sent wrongly."""


def forms() -> set[tuple[str, str]]:
    """Return the forms of all templates: template, and id or what stands for it."""
    found = set()
    for path in TEMPLATES.rglob("*.html"):
        for tag in re.findall(r"<form[^>]*", path.read_text()):
            name = re.search(r'\bid="([^"]+)"', tag)
            months = "months" if "months" in tag else ""
            found.add((path.relative_to(TEMPLATES).as_posix(), name[1] if name else months))
    return found


async def says_what_is_wrong(page, name: str, wrong: Wrong) -> None:
    """Send a form wrongly; the page that is open has to say so, where people look for it."""

    async def refusing(route):
        if route.request.method == "GET" or route.request.url.endswith("/confirm"):
            await route.continue_()
        else:
            problem = {"code": wrong.refused, "detail": NO, "errors": []}
            await route.fulfill(status=422, json=problem)

    if wrong.refused:
        await page.route("**/v1/**", refusing)
    for press in wrong.before:
        await page.locator(press).first.click()
    form = page.locator(wrong.form or f"form#{name}").first
    for control, value in wrong.fill.items():
        if control:
            await form.locator(f'[name="{control}"]').fill(value)
        else:
            chosen = {"name": "x.json", "mimeType": "application/json", "buffer": value.encode()}
            await form.locator("[type=file]").set_input_files(chosen)
    if await form.locator("[type=submit]").count():
        await form.locator("[type=submit]").first.click()
    for press in wrong.after:
        await page.locator(press).first.click()
    said = page.locator(wrong.told) if wrong.told else form
    told = said.locator("xpath=descendant-or-self::*").and_(page.locator(".error:not(:empty)"))
    await expect(told.first).to_be_visible()
    if wrong.refused == REFUSED:
        await expect(told.filter(has_text=NO)).to_have_count(1)
    await page.unroute_all()
