"""What doorbells share whose server an address names, with who we are there in it."""

from abc import abstractmethod
from typing import Self

from mediamill.adapters.brokers.address import Address
from mediamill.adapters.brokers.relay import Relay


class AddressedRelay(Relay):
    """A doorbell through the server of an `Address`; a backend says how its URL is read."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self._address = address

    @classmethod
    def open(cls, url: str, store_url: str) -> Self:
        """Make the doorbell of a URL; raises `ConfigurationError`."""
        return cls(cls.read(url))

    @staticmethod
    @abstractmethod
    def read(url: str) -> Address:
        """Read a URL; raises `ConfigurationError`."""

    def move(self, url: str, store_url: str) -> None:
        self._address = self.read(url)

    def without_secrets(self, text: str) -> str:
        return self._address.without_secrets(text)
