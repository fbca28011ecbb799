"""What the mail about a budget says."""

import pytest

from mediamill.adapters.mail.message import address_of, message_of
from mediamill.engine.asking.booking import BudgetNews
from mediamill.letters.budget import BudgetLetters
from mediamill.store.repositories.users import User

ANN = User(id="user_ann", email="ann@example.org", created=1)


async def unsubscribe(user):
    return f"https://mill.example.org/unsubscribe/{user}"


async def written(**more):
    facts = {"scope": ANN.id, "month": "2026-11", "most": 20_000_000, "percent": 80,
             "spent": 16_200_000}  # fmt: skip
    letters = BudgetLetters("https://mill.example.org", unsubscribe)
    return await letters.write(ANN, BudgetNews(**facts | more), 1_795_000_000_000)


@pytest.mark.parametrize(
    ("more", "subject", "said"),
    [
        ({}, "Your budget for model calls in November 2026 is 81 % used",
         "$16.20 of $20.00 is spent. $3.80 is left."),
        ({"percent": 100, "spent": 20_000_000},
         "Your budget for model calls in November 2026 is used up",
         "Nothing that costs is asked until the month ends (UTC)."),
        ({"percent": 100, "spent": 18_000_000, "wanted": 2_500_000},
         "Your budget for model calls in November 2026 has too little left for a call",
         "A call that may cost $2.50 was not made: $2.00 is left."),
        ({"scope": "everybody"}, "The budget of all for model calls in November 2026 is 81 % used",
         "because you administer mill.example.org"),
    ],
)  # fmt: skip
async def test_it_says_how_much_is_spent_and_what_follows(more, subject, said):
    letter = await written(**more)
    assert letter.subject == subject
    for text in (letter.text, letter.html):
        assert said in " ".join(text.split())
        assert "https://mill.example.org/spending?month=2026-11" in text
        assert "https://mill.example.org/unsubscribe/user_ann" in text
    assert letter.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message_of(letter, address_of("mill@example.org"))["Subject"] == subject


async def test_each_has_a_key_of_its_own():
    kinds = ({}, {"percent": 100}, {"most": 1}, {"month": "2026-12"}, {"scope": "everybody"})
    keys = {(await written(**more)).key for more in kinds}
    assert len(keys) == len(kinds)
