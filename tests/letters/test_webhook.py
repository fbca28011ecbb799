"""What the mail about a webhook that was disabled says."""

from mediamill.adapters.mail.message import address_of, message_of
from mediamill.letters.webhook import WebhookLetters
from mediamill.store.repositories.users import User
from mediamill.store.repositories.webhooks import Webhook

ANN = User(id="user_ann", email="ann@example.org", created=1)


async def unsubscribe(user):
    return f"https://mill.example.org/unsubscribe/{user}"


OFF = {"enabled": False, "reason": "It answered 410: gone."}


async def written(**more):
    webhook = Webhook(
        owner=ANN.id, id="hook_1", url="https://hooks.example.org/in?token=secret", types=("*",),
        secret="", sealed_by="", created=1, changed=1, **more,
    )  # fmt: skip
    letters = WebhookLetters("https://mill.example.org", unsubscribe)
    return await letters.write(ANN, webhook, 1_795_000_000_000)


async def test_it_says_which_why_and_where_to_mend_it():
    letter = await written(description="the <b>chat</b>", **OFF)
    assert letter.subject == "Your webhook to hooks.example.org is disabled"
    for text in (letter.text, letter.html):
        assert "It answered 410: gone." in text
        assert "https://mill.example.org/webhooks/hook_1" in text
        assert "https://mill.example.org/unsubscribe/user_ann" in text
        assert "token=secret" not in text
    assert "the <b>chat</b>" in letter.text
    assert "the &lt;b&gt;chat" in letter.html
    assert message_of(letter, address_of("mill@example.org"))["Subject"] == letter.subject


async def test_it_says_since_when_nothing_was_taken():
    letter = await written(failing=1_795_000_000_000)
    assert letter.subject == "Your webhook to hooks.example.org takes no events"
    for text in (letter.text, letter.html):
        assert "Every try since 2026-11-18 11:06 UTC has failed." in text.replace("\n", " ")
        assert "for 5 days is disabled" in text
        assert "No events are sent" not in text


async def test_each_occasion_is_a_letter_of_its_own():
    occasions = ({"revision": 1, **OFF}, {"revision": 2, **OFF}, {"failing": 1}, {"failing": 2})
    assert len({(await written(**each)).key for each in occasions}) == 4
