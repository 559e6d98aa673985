"""Text from models: one interface over a model in this process and over a server."""

from llull.language.sampling.cache import SampleCache
from llull.language.sampling.hugging_face import HuggingFaceSampler
from llull.language.sampling.posting import Retry
from llull.language.sampling.sampler import Prompt, Sample, Sampler, Settings
from llull.language.sampling.server import ServerSampler

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
