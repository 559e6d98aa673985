from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from largest_tensor import LargestTensor
from plain_statistics import gradients, plain_log_probs, plain_logits, random_problem
from torch import Tensor

from llull.errors import InputError
from llull.language.heads import CPU_TILE, Arithmetic, Head, tile_shape
from llull.language.logprobs import NEGLIGIBLE, selected_log_probs

SHAPES = [(False, None, 1.0), (True, None, 1.0), (False, 4.0, 1.0), (False, None, 0.3), (True, 4.0, 0.3)]
CHUNKS = [(1, 1), (4, 7), (23, 37), (1000, 1000), None]


def log_probs(hidden: Tensor, head: Head, target: Tensor, chunk: tuple[int, int] | None = None) -> Tensor:
    return selected_log_probs(
        hidden, head.weight, target, bias=head.bias, softcap=head.softcap, scale=head.scale, chunk=chunk
    )


def test_three_tokens_have_the_softmax_of_their_logits() -> None:
    weight = torch.tensor([[0.0], [math.log(2.0)], [math.log(5.0)]])
    hidden, target = torch.ones(3, 1), torch.tensor([0, 1, 2])
    found = selected_log_probs(hidden, weight, target).exp()
    torch.testing.assert_close(found, torch.tensor([1 / 8, 2 / 8, 5 / 8]))


def test_a_cap_and_a_scale_act_on_logits_in_that_order() -> None:
    weight = torch.tensor([[3.0], [0.0]], dtype=torch.float64)
    found = selected_log_probs(torch.ones(1, 1, dtype=torch.float64), weight, torch.tensor([0]), softcap=2.0, scale=0.5)
    logit = 2.0 * math.tanh(0.5 * 3.0 / 2.0)
    assert found.item() == pytest.approx(logit - math.log(math.exp(logit) + 1.0), abs=1e-14)


@pytest.mark.parametrize(("bias", "softcap", "scale"), SHAPES)
@pytest.mark.parametrize("head_is_frozen", [False, True])
def test_gradients_equal_finite_differences(
    bias: bool, softcap: float | None, scale: float, head_is_frozen: bool
) -> None:
    hidden, head, target = random_problem(6, 9, 4, torch.float64, bias=bias, softcap=softcap, scale=scale)
    weight = head.weight.detach() if head_is_frozen else head.weight
    shift = head.bias.detach() if head.bias is not None and head_is_frozen else head.bias

    def score(hidden: Tensor, weight: Tensor, shift: Tensor | None) -> Tensor:
        return log_probs(hidden, Head(weight, shift, softcap, scale), target, (4, 5))

    assert torch.autograd.gradcheck(score, (hidden, weight, shift))


@pytest.mark.parametrize(("bias", "softcap", "scale"), SHAPES)
@pytest.mark.parametrize("chunk", CHUNKS)
def test_values_and_gradients_equal_the_plain_computation(
    bias: bool, softcap: float | None, scale: float, chunk: tuple[int, int] | None
) -> None:
    hidden, head, target = random_problem(bias=bias, softcap=softcap, scale=scale)
    weights = torch.randn(len(target), generator=torch.Generator().manual_seed(1))
    plain = plain_log_probs(hidden, head, target)
    ours = log_probs(hidden, head, target, chunk)
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-5)
    parts = hidden, head.weight, head.bias
    expected = gradients((weights * plain).sum(), *parts)
    for found, wanted in zip(gradients((weights * ours).sum(), *parts), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    frozen = Head(head.weight.detach(), head.bias.detach() if head.bias is not None else None, softcap, scale)
    (found,) = gradients((weights * log_probs(hidden, frozen, target, chunk)).sum(), hidden)
    torch.testing.assert_close(found, expected[0], rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 12), st.integers(1, 12), st.integers(1, 14), st.integers(1, 14), st.integers(0, 99))
def test_no_way_of_cutting_changes_the_result(rows: int, vocabulary: int, height: int, width: int, seed: int) -> None:
    hidden, head, target = random_problem(rows, vocabulary, 4, torch.float64, seed=seed)
    whole, cut = (log_probs(hidden, head, target, chunk) for chunk in ((12, 12), (height, width)))
    torch.testing.assert_close(cut, whole, rtol=1e-12, atol=1e-12)
    for one, other in zip(
        gradients(cut.sum(), hidden, head.weight), gradients(whole.sum(), hidden, head.weight), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("head_is_frozen", [False, True])
def test_logits_of_ten_thousand_neither_overflow_nor_lose_the_target(head_is_frozen: bool) -> None:
    hidden = torch.tensor([[1e4], [-1e4], [1e4]], requires_grad=True)
    weight = torch.tensor([[1.0], [-1.0], [0.0], [1.0]], requires_grad=not head_is_frozen)
    target = torch.tensor([1, 1, 0])
    found = selected_log_probs(hidden, weight, target, chunk=(2, 1))
    assert found.tolist() == pytest.approx([-2e4 - math.log(2.0), 0.0, -math.log(2.0)])
    found.sum().backward()
    assert hidden.grad is not None
    torch.testing.assert_close(hidden.grad, torch.tensor([[-2.0], [0.0], [0.0]]))
    if not head_is_frozen:
        assert weight.grad is not None
        expected = torch.tensor([[-0.5e4 + 0.5e4], [1e4], [0.0], [-0.5e4 - 0.5e4]])
        torch.testing.assert_close(weight.grad, expected)


def test_a_certain_token_is_never_more_than_certain() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(500, 16, generator=generator)
    hidden = weight[:200] * 3.0
    found = selected_log_probs(hidden, weight, torch.arange(200), chunk=(64, 33))
    assert found.max() <= 0.0


@pytest.mark.parametrize("size", [0.0, 1e-31, NEGLIGIBLE])
def test_rows_with_a_negligible_gradient_are_left_out(size: float) -> None:
    hidden, head, target = random_problem(dtype=torch.float64)
    weights = torch.full((23,), size, dtype=torch.float64)
    weights[[2, 11]] = torch.tensor([1.5, -0.5], dtype=torch.float64)
    ours = gradients((weights * log_probs(hidden, head, target, (1, 10))).sum(), hidden, head.weight)
    plain = gradients((weights * plain_log_probs(hidden, head, target)).sum(), hidden, head.weight)
    for found, wanted in zip(ours, plain, strict=True):
        torch.testing.assert_close(found, wanted)
    quiet = torch.ones(23, dtype=torch.bool)
    quiet[[2, 11]] = False
    assert ours[0][quiet].abs().max() == 0
    frozen = Head(head.weight.detach())
    (found,) = gradients((weights * log_probs(hidden, frozen, target)).sum(), hidden)
    torch.testing.assert_close(found, ours[0])
    assert found[quiet].abs().max() == 0


def test_a_gradient_that_is_not_a_number_is_passed_on() -> None:
    hidden, head, target = random_problem()
    weights = torch.zeros(23)
    weights[4] = torch.nan
    to_hidden, to_weight = gradients((weights * log_probs(hidden, head, target)).sum(), hidden, head.weight)
    assert to_hidden[4].isnan().all()
    assert to_weight.isnan().all()


def test_a_tied_weight_gets_the_gradient_of_both_its_uses() -> None:
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(19, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    ids, target = torch.randint(0, 19, (2, 10), generator=generator)

    def score(embedding: Tensor) -> Tensor:
        return selected_log_probs(torch.tanh(embedding[ids]), embedding, target)

    assert torch.autograd.gradcheck(score, (embedding,))


def test_several_options_may_start_from_one_row() -> None:
    hidden, head, _ = random_problem(4, dtype=torch.float64)
    source, target = torch.tensor([0, 0, 0, 2]), torch.tensor([5, 6, 7, 5])
    ours = log_probs(hidden[source], head, target)
    table = plain_logits(hidden, head).log_softmax(1)
    torch.testing.assert_close(ours, table[source, target])
    (found,) = gradients(ours.sum(), hidden)
    (wanted,) = gradients(table[source, target].sum(), hidden)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(dtype: torch.dtype) -> None:
    hidden, head, target = random_problem(64, 500, 32)
    low = hidden.detach().to(dtype).requires_grad_(), Head(head.weight.detach().to(dtype).requires_grad_())
    high = low[0].detach().float().requires_grad_(), Head(low[1].weight.detach().float().requires_grad_())
    found, wanted = log_probs(*low, target, (16, 64)), plain_log_probs(*high, target)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    ours = gradients(found.sum(), low[0], low[1].weight)
    plain = gradients(wanted.sum(), high[0], high[1].weight)
    for mine, theirs in zip(ours, plain, strict=True):
        assert mine.dtype == dtype
        torch.testing.assert_close(mine, theirs.to(dtype), rtol=torch.finfo(dtype).eps * 2, atol=1e-3)


def half_precision_operands(hidden: Tensor, weight: Tensor) -> Arithmetic:
    return Arithmetic(torch.bfloat16, torch.float32)


@pytest.mark.parametrize("head_is_frozen", [False, True])
def test_products_of_half_precision_operands_are_close(monkeypatch: pytest.MonkeyPatch, head_is_frozen: bool) -> None:
    """What GPUs do, with the products of this device."""
    hidden, head, target = random_problem(64, 200, 32, bias=True, softcap=9.0, scale=0.2)
    head = (
        Head(head.weight.detach(), head.bias.detach(), 9.0, 0.2) if head_is_frozen and head.bias is not None else head
    )
    parts = [part for part in (hidden, head.weight, head.bias) if part is not None and part.requires_grad]
    wanted = plain_log_probs(hidden, head, target)
    expected = gradients(wanted.sum(), *parts)
    monkeypatch.setattr(Arithmetic, "choose", half_precision_operands)
    found = log_probs(hidden, head, target, (16, 64))
    assert found.dtype == torch.float32
    # Operands keep 8 bits, and so do logits of up to about 4 before they are summed.
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.05)
    for mine, theirs in zip(gradients(found.sum(), *parts), expected, strict=True):
        assert (mine - theirs).norm() <= 0.01 * theirs.norm()


def test_autocast_changes_nothing_on_cpu() -> None:
    hidden, head, target = random_problem()
    outside = log_probs(hidden, head, target)
    with torch.autocast("cpu", torch.bfloat16):
        inside = log_probs(hidden, head, target)
        found = gradients(inside.sum(), hidden, head.weight)
    assert torch.equal(inside, outside)
    for one, other in zip(found, gradients(outside.sum(), hidden, head.weight), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("trainable", [(True, True), (True, False), (False, True)])
def test_no_tensor_grows_with_rows_times_vocabulary(trainable: tuple[bool, bool]) -> None:
    rows, vocabulary, size, chunk = 512, 256, 4, (32, 64)
    hidden, head, target = random_problem(rows, vocabulary, size)
    hidden, weight = hidden.detach().requires_grad_(trainable[0]), head.weight.detach().requires_grad_(trainable[1])
    with LargestTensor() as seen:
        selected_log_probs(hidden, weight, target, chunk=chunk).sum().backward()
    assert seen.elements <= max(chunk[0] * chunk[1], rows * size, vocabulary * size)


def test_what_is_kept_for_the_backward_pass_does_not_grow_with_the_vocabulary() -> None:
    def kept(vocabulary: int) -> int:
        hidden, head, target = random_problem(50, vocabulary, 4)
        sizes = {}

        def note(part: Tensor) -> Tensor:
            if part is not head.weight:
                sizes[part.data_ptr()] = part.numel()
            return part

        with torch.autograd.graph.saved_tensors_hooks(note, lambda part: part):
            log_probs(hidden, head, target)
        return sum(sizes.values())

    assert kept(500) == kept(20) == 50 * 4 + 50 + 2 * 50


def test_without_gradients_only_the_values_are_computed() -> None:
    hidden, head, target = random_problem()
    with torch.no_grad():
        found = log_probs(hidden, head, target)
    assert not found.requires_grad
    assert torch.equal(found, log_probs(hidden, head, target).detach())
    assert torch.equal(found, log_probs(hidden.detach(), Head(head.weight.detach()), target))


def test_the_weight_may_not_change_between_the_two_passes() -> None:
    hidden, head, target = random_problem()
    found = log_probs(hidden, head, target).sum()
    with torch.no_grad():
        head.weight.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        found.backward()


def test_targets_outside_the_vocabulary_are_refused() -> None:
    hidden, head, target = random_problem()
    with pytest.raises(InputError, match="targets from -100 to"):
        log_probs(hidden, head, target.index_fill(0, torch.tensor([3]), -100))
    with pytest.raises(InputError, match="vocabulary of 37"):
        log_probs(hidden, head, target.index_fill(0, torch.tensor([3]), 37))
    with pytest.raises(InputError, match="do not fit"):
        log_probs(hidden, head, target[:-1])


def test_tiles_stay_within_their_bound_and_their_problem() -> None:
    device = torch.device("cpu")
    assert tile_shape(10_000, 100_000, device, None) == CPU_TILE
    assert tile_shape(64, 100_000, device, None) == (64, CPU_TILE[0] * CPU_TILE[1] // 64)
    assert tile_shape(5, 7, device, None) == (5, 7)
    assert tile_shape(0, 7, device, None) == (1, 7)
    assert tile_shape(50, 70, device, (8, 9)) == (8, 9)
