"""`threads`: every session of a model is held to as many as its address says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.local.provider import usual_threads
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Deadline, Question
from mediamill.media.models.sessions import Session
from tests.providers.local.building import write_captioner, write_classifier
from tests.support.providers.questions import caption, labels


def _captioner(folder: Path) -> Path:
    return write_captioner(folder, past=False)


@pytest.mark.parametrize(
    ("write", "question", "sessions"),
    [(write_classifier, labels(), 1), (_captioner, caption(max_tokens=3), 2)],
)
@pytest.mark.parametrize(("said", "threads"), [("?threads=3", 3), ("", usual_threads())])
async def test_sessions_have_as_many_threads_as_the_address_says(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Path], Path],
    question: Question,
    sessions: int,
    said: str,
    threads: int,
) -> None:
    opened, found = Session.__init__, list[int]()

    def told(session: Session, *given: Any) -> None:
        opened(session, *given)
        options = session._session.get_session_options()
        assert options.inter_op_num_threads == 1
        found.append(options.intra_op_num_threads)

    monkeypatch.setattr(Session, "__init__", told)
    address = f"local:{write(tmp_path / 'model')}{said}"
    provider = open_provider(Configured("it", address, from_settings=True))
    await provider.ask(question, Deadline(60))
    await provider.close()
    assert found == [threads] * sessions
