"""Remember unfinished uploads in a folder, so that another process goes on with them."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from mediamill.client.shipping import Said


@dataclass(frozen=True)
class FolderBookmark:
    """One upload's file in the folder; it holds the address of the upload, and no secret."""

    file: Path

    @classmethod
    def of(
        cls, folder: Path, server: str, name: str, sha256: str, said: Said, user: str
    ) -> "FolderBookmark":
        """Return where the upload is remembered of some bytes, with all that is said of them."""
        about = [server, user, name, sha256, said.given()]
        key = hashlib.sha256(json.dumps(about).encode()).hexdigest()
        return cls(folder / f"upload-{key[:32]}.json")

    def place(self) -> str | None:
        """Return the address of an upload that was begun."""
        try:
            place = json.loads(self.file.read_text())["place"]
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return place if isinstance(place, str) else None

    def begin(self, place: str) -> None:
        """Remember an upload until `forget`; the folder is made where it is not there."""
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps({"place": place}))
        fresh.replace(self.file)

    def forget(self) -> None:
        """Forget an upload that is over."""
        self.file.unlink(missing_ok=True)
