"""Models on this machine: where they are kept, how they are fetched, asked and batched."""

from mediamill.adapters.providers.local.provider import Local

plugin = Local
