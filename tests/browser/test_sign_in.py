"""Signing in through a real issuer, as people do: there and back, linking, leaving."""

import re

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.support.issuers import provider
from tests.support.pressing import account_menu, enter
from tests.support.processes import Process, free_port, signed_in, until_live

EMAIL, PASSWORD = "ann@example.org", "correct horse battery"

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def service(tmp_path):
    """A service and the issuer that it trusts."""
    port = free_port()
    with provider(tmp_path / "issuer", f"http://127.0.0.1:{port}/auth/oidc/callback") as issuer:
        settings = {"identity_url": issuer.url(), "slots": 1, "min_free_bytes": 0}
        process = Process("up", tmp_path / "home", port, **settings)
        process.start()
        try:
            await until_live(process)
            yield process
        finally:
            process.end()


async def through_the_issuer(page, who):
    await page.fill('input[name="login"]', who)
    await page.fill('input[name="password"]', "any")
    await enter(page)
    await page.get_by_role("button", name="Continue").click()


def note(said, complaints):
    """Keep what a page complains of; the issuer's own pages want a font from elsewhere."""
    if said.type == "error" and not said.text.startswith("Failed to load resource"):
        complaints.append(said.text)


async def phone(browser):
    """Return a page as wide as a phone, and what it complains of, as it comes."""
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    page, complaints = await context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: note(said, complaints))
    await context.route(re.compile(r"^https?://(?!127\.0\.0\.1[:/])"), lambda route: route.abort())
    return page, complaints


async def test_there_and_back(service, browser):
    page, complaints = await phone(browser)
    base = f"http://127.0.0.1:{service.port}"
    await page.goto(f"{base}/trash")
    await page.get_by_role("link", name="Sign in with Example SSO").click()
    await through_the_issuer(page, "ann")
    await page.wait_for_url(f"{base}/trash")
    await account_menu(page, "Your account")
    await expect(page.locator("#who")).to_have_text(EMAIL)
    assert complaints == []


@pytest.mark.soak
async def test_linking_and_leaving(service, browser):
    """An address that is taken, a link to its account, a token, and out of both."""
    page, complaints = await phone(browser)
    base = f"http://127.0.0.1:{service.port}"
    async with signed_in(service, EMAIL):  # has the address that Ann has at the issuer too
        pass
    await page.goto(f"{base}/trash")
    await page.get_by_role("link", name="Sign in with Example SSO").click()
    await through_the_issuer(page, "ann")
    await expect(page.get_by_role("alert").first).to_contain_text("link this sign-in")

    await page.wait_for_load_state()
    await page.fill("#login-email", EMAIL)
    await page.fill("#login-password", PASSWORD)
    await enter(page)
    await page.wait_for_url(f"{base}/trash")  # where it began, though the address said no more
    await account_menu(page, "Your account")
    async with page.expect_request(f"{base}/auth/oidc/callback*"):  # there and back by itself
        await page.get_by_role("button", name="Link Example SSO").click()
    await page.wait_for_url(f"{base}/account")
    ways = page.get_by_role("list", name="Linked sign-ins").get_by_role("listitem")
    await expect(ways).to_have_count(1)
    await expect(ways).to_contain_text(EMAIL)

    await expect(page.get_by_role("button", name="Make a token")).to_be_enabled()
    await page.fill("#token-name", "a program")
    await enter(page)
    await expect(page.locator("#made-token code")).to_have_text(re.compile(r"^mmt_\S{43}$"))
    tokens = page.get_by_role("list", name="API tokens").get_by_role("listitem")
    await expect(tokens).to_have_count(1)
    await page.get_by_role("button", name="Revoke a program").click()
    await expect(tokens).to_have_count(0)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    await account_menu(page, "Sign out")
    await page.get_by_role("link", name="sign out there too").click()
    await page.get_by_role("button", name="Yes, sign me out").click()
    await page.wait_for_url(re.compile(f"^{base}/signin"))
    await page.goto(f"{base}/trash")
    await page.get_by_role("link", name="Sign in with Example SSO").click()
    await through_the_issuer(page, "ann")
    await page.wait_for_url(f"{base}/trash")
    await account_menu(page, "Your account")
    await expect(page.locator("#who")).to_have_text(EMAIL)
    assert complaints == []
