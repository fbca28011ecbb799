"""What mails about accounts say: each kind, with its link, and nothing that ends such mails."""

import pytest

from mediamill.adapters.mail.message import address_of, message_of
from mediamill.letters.account import WORDINGS, AccountLetters, AccountNews

LETTERS = AccountLetters("https://mill.example.org")


@pytest.mark.parametrize("name", WORDINGS)
def test_each_letter(name):
    wording = WORDINGS[name]
    news = AccountNews(letter=name, to="user_ann", about="<new>@example.org")
    secret = "mmr_x" if wording.path in ("/reset", "/verify") else ""
    letter = LETTERS.write(news, "ann@example.org", secret, f"k.{name}", 1_795_000_000_000)
    mail = message_of(letter, address_of("mill@example.org"))
    assert "mill.example.org" in mail["Subject"]
    assert mail["List-Unsubscribe"] is None
    for text in (letter.text, letter.html):
        assert "{" not in text.partition("</style>")[2] or text is letter.text
        assert "cannot be turned off" in text
        if wording.button:
            link = f"https://mill.example.org{wording.path}" + (f"#{secret}" if secret else "")
            assert link in text
    assert "{" not in letter.text
    assert "<new>" not in letter.html


def test_what_waits_in_the_queue_names_the_user_and_no_secret():
    unit = AccountNews(letter="verify", to="user_ann").unit(1)
    assert (unit.owner, unit.payload) == ("user_ann", {"letter": "verify", "to": "user_ann"})
    assert AccountNews(letter="reset", address="x@example.org").unit(1).owner == "system"
