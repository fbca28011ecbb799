"""What the mail about a quota says."""

import pytest

from mediamill.adapters.mail.message import address_of, message_of
from mediamill.letters.quota import QuotaLetters
from mediamill.store.repositories.quota_notices import QuotaNews
from mediamill.store.repositories.users import User

ANN = User(id="user_ann", email="ann@example.org", created=1)


async def unsubscribe(user):
    return f"https://mill.example.org/unsubscribe/{user}"


@pytest.mark.parametrize(
    ("news", "subject", "said"),
    [
        (QuotaNews(ANN.id, "bytes", "2026-11", 5_000_000_000, 80, 4_100_000_000),
         "Of what you may keep, 82 % is used", "4.1 GB of 5.0 GB. What has no room is refused"),
        (QuotaNews(ANN.id, "files", "2026-11", 2_000, 80, 1_600),
         "Of the files that you may keep, 80 % is used", "1,600 of 2,000. Files beyond it are"),
        (QuotaNews(ANN.id, "items", "2026-11", 10_000, 100, 10_000),
         "All of the items that you may run this month is used", "10,000 of 10,000. Jobs that"),
    ],
)  # fmt: skip
async def test_it_says_how_much_is_used_and_what_to_do(news, subject, said):
    letters = QuotaLetters("https://mill.example.org", unsubscribe)
    letter = await letters.write(ANN, news, 1_795_000_000_000)
    assert letter.subject == subject
    for text in (letter.text, letter.html):
        plain = " ".join(text.replace("<p>", " ").replace("</p>", " ").split())
        assert said in plain
        assert "https://mill.example.org/unsubscribe/user_ann" in text
    assert message_of(letter, address_of("mill@example.org"))["Subject"] == subject
    again = await letters.write(ANN, QuotaNews(ANN.id, "bytes", "2026-11", 1, 100, 1), 1)
    assert again.key != letter.key
