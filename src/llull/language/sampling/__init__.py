"""Text from models: one interface over a model in this process and over a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llull.language.sampling.cache import SampleCache
from llull.language.sampling.posting import Retry
from llull.language.sampling.sampler import Prompt, Sample, Sampler, Settings
from llull.language.sampling.server import ServerSampler

if TYPE_CHECKING:
    from llull.language.sampling.hugging_face import HuggingFaceSampler

__all__ = [
    "HuggingFaceSampler",
    "Prompt",
    "Retry",
    "Sample",
    "SampleCache",
    "Sampler",
    "ServerSampler",
    "Settings",
]


def __getattr__(name: str) -> Any:
    # A server can be asked without torch, which only a model in this process needs.
    if name == "HuggingFaceSampler":
        from llull.language.sampling.hugging_face import HuggingFaceSampler

        return HuggingFaceSampler
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
