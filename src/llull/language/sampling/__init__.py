"""Text from models: one interface over a model in this process and over a server."""

from llull.language.sampling.cache import SampleCache
from llull.language.sampling.hugging_face import HuggingFaceSampler
from llull.language.sampling.sampler import Prompt, Sample, Sampler, Settings

__all__ = ["HuggingFaceSampler", "Prompt", "Sample", "SampleCache", "Sampler", "Settings"]
