"""What is kept of a model before processes share it; that two processes gather it is tested with them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.utils import DistributedType
from small_trainings import make_data, make_model

from llull.align.gathering import before_sharing, is_shared, whole
from llull.errors import InputError


def accelerator(kind: DistributedType, version: int | None = 2) -> Any:
    plugin = None if version is None else SimpleNamespace(fsdp_version=version, cpu_ram_efficient_loading=True)
    return SimpleNamespace(distributed_type=kind, state=SimpleNamespace(fsdp_plugin=plugin))


@pytest.mark.parametrize("tied", [False, True])
def test_what_is_kept_takes_no_memory_and_becomes_the_model_again(tied: bool) -> None:
    model = make_model(tied=tied)
    frozen = next(model.parameters()).requires_grad_(False)
    sharing = accelerator(DistributedType.FSDP)
    shell = before_sharing(model, sharing)
    assert shell is not None
    assert all(parameter.is_meta for parameter in shell.parameters())
    assert sharing.state.fsdp_plugin.cpu_ram_efficient_loading is False, "it unties weights"
    again = whole(model, shell)
    assert not is_shared(again)
    assert again is not model
    assert again.model.lm_head.weight is again.model.model.embed_tokens.weight or not tied
    assert not next(again.parameters()).requires_grad
    assert frozen is next(model.parameters())
    trees = make_data().trees(torch.arange(8).numpy())
    assert torch.equal(again.log_probs(trees).sums, model.log_probs(trees).sums)


def test_only_what_is_shared_is_kept() -> None:
    for kind in (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU):
        assert before_sharing(make_model(), accelerator(kind)) is None


@pytest.mark.parametrize("version", [1, None])
def test_the_first_version_of_fsdp_is_refused(version: int | None) -> None:
    with pytest.raises(InputError, match="set fsdp_version to 2"):
        before_sharing(make_model(), accelerator(DistributedType.FSDP, version))
