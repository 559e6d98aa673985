from __future__ import annotations

import math

import pytest
import torch
from largest_tensor import LargestTensor
from plain_statistics import (
    gradients,
    plain_divergence,
    plain_entropy,
    plain_log_probs,
    plain_logits,
    random_problem,
)

from llull.errors import InputError
from llull.language.divergences import (
    Divergence,
    Teacher,
    adaptive_contrast,
    geometric_mixture,
    token_statistics,
)
from llull.language.heads import Arithmetic, Head

KINDS = ("forward_kl", "reverse_kl", "jensen_shannon", "total_variation")


def teacher_of(rows: int, vocabulary: int, dtype: torch.dtype, seed: int, size: int = 5) -> Teacher:
    hidden, head, _ = random_problem(rows, vocabulary, size, dtype, seed=seed, bias=True)
    return Teacher(hidden, head)


def probabilities(teacher: Teacher) -> torch.Tensor:
    return plain_logits(teacher.hidden, teacher.head).softmax(1).detach()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("forward_kl", 0.5 * math.log(0.5 / 0.8) + 0.5 * math.log(0.5 / 0.2)),
        ("reverse_kl", 0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5)),
        (
            "jensen_shannon",
            (
                0.8 * math.log(0.8 / 0.65)
                + 0.2 * math.log(0.2 / 0.35)
                + 0.5 * math.log(0.5 / 0.65)
                + 0.5 * math.log(0.5 / 0.35)
            )
            / 2,
        ),
        ("total_variation", 0.3),
    ],
)
def test_two_tokens_have_the_divergence_of_two_coins(kind: str, value: float) -> None:
    student = Head(torch.tensor([[math.log(0.8)], [math.log(0.2)]], dtype=torch.float64))
    one = torch.ones(1, 1, dtype=torch.float64)
    teacher = Teacher(one, Head(torch.zeros(2, 1, dtype=torch.float64)))
    found = token_statistics(
        one, student, torch.tensor([0]), entropy=True, top1=True, divergence=Divergence(kind, [teacher])
    )
    assert found.divergence is not None
    assert found.entropy is not None
    assert found.top1 is not None
    assert found.divergence.item() == pytest.approx(value, abs=1e-12)
    assert found.entropy.item() == pytest.approx(-0.8 * math.log(0.8) - 0.2 * math.log(0.2), abs=1e-12)
    assert found.log_probs.item() == pytest.approx(math.log(0.8), abs=1e-12)
    assert found.top1.tolist() == [True]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("bias", "softcap", "scale", "temperature"), [(False, None, 1.0, 1.0), (True, 3.0, 0.5, 1.7)])
def test_gradients_equal_finite_differences(
    kind: str, bias: bool, softcap: float | None, scale: float, temperature: float
) -> None:
    hidden, head, target = random_problem(5, 7, 4, torch.float64, bias=bias, softcap=softcap, scale=scale)
    teacher = teacher_of(5, 7, torch.float64, seed=1)

    def measure(hidden: torch.Tensor, weight: torch.Tensor, shift: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        found = token_statistics(
            hidden,
            Head(weight, shift, softcap, scale),
            target,
            entropy=True,
            divergence=Divergence(kind, [teacher], temperature=temperature),
            chunk=2,
        )
        assert found.entropy is not None
        assert found.divergence is not None
        return found.log_probs, found.entropy, found.divergence

    assert torch.autograd.gradcheck(measure, (hidden, head.weight, head.bias))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [1, 5, 23, 100, None])
def test_values_and_gradients_equal_the_plain_computation(kind: str, chunk: int | None) -> None:
    hidden, head, target = random_problem(bias=True, softcap=5.0, scale=0.7)
    teacher = teacher_of(23, 37, torch.float32, seed=1)
    found = token_statistics(
        hidden, head, target, entropy=True, top1=True, divergence=Divergence(kind, [teacher]), chunk=chunk
    )
    logits = plain_logits(hidden, head)
    entropy = plain_entropy(hidden, head)
    divergence = plain_divergence(kind, logits.softmax(1), probabilities(teacher))
    log_probs = plain_log_probs(hidden, head, target)
    assert found.entropy is not None
    assert found.divergence is not None
    assert found.top1 is not None
    torch.testing.assert_close(found.log_probs, log_probs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.entropy, entropy, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.divergence, divergence, rtol=1e-5, atol=1e-5)
    assert found.top1.tolist() == (logits.argmax(1) == target).tolist()
    generator = torch.Generator().manual_seed(3)
    one, two, three = torch.randn(3, 23, generator=generator)
    ours = gradients(
        (one * found.log_probs + two * found.entropy + three * found.divergence).sum(), hidden, head.weight, head.bias
    )
    plain = gradients((one * log_probs + two * entropy + three * divergence).sum(), hidden, head.weight, head.bias)
    for mine, theirs in zip(ours, plain, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_equal_to_its_teacher_is_at_distance_zero_with_no_gradient(kind: str) -> None:
    hidden, head, target = random_problem(dtype=torch.float64)
    found = token_statistics(hidden, head, target, divergence=Divergence(kind, [Teacher(hidden, head)]))
    assert found.divergence is not None
    assert found.divergence.abs().max() < 1e-14
    for gradient in gradients(found.divergence.sum(), hidden, head.weight):
        assert gradient.abs().max() < 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_logits_stay_finite(kind: str) -> None:
    hidden = torch.tensor([[1e4], [-1e4], [1.0]], requires_grad=True)
    head = Head(torch.tensor([[1.0], [-1.0], [0.0]], requires_grad=True))
    teacher = Teacher(torch.tensor([[-1e4], [-1e4], [1e4]]), Head(torch.tensor([[1.0], [-1.0], [0.0]])))
    found = token_statistics(
        hidden, head, torch.tensor([1, 1, 1]), entropy=True, divergence=Divergence(kind, [teacher])
    )
    assert found.entropy is not None
    assert found.divergence is not None
    assert found.divergence[0] > (0.5 if kind in ("jensen_shannon", "total_variation") else 1e4)
    assert found.divergence[1] == 0
    total = found.log_probs.sum() + found.entropy.sum() + found.divergence.sum()
    assert torch.isfinite(total)
    assert all(torch.isfinite(part).all() for part in gradients(total, hidden, head.weight))


def test_the_adaptive_weight_grows_where_the_two_teachers_differ() -> None:
    hidden, head, target = random_problem(dtype=torch.float64)
    aligned, reverse = (teacher_of(23, 37, torch.float64, seed=seed) for seed in (1, 2))
    found = token_statistics(
        hidden,
        head,
        target,
        divergence=Divergence("reverse_kl", [aligned, reverse], adaptive_contrast(alpha=4.0, floor=0.01)),
        chunk=6,
    )
    z_aligned, z_reverse = (plain_logits(part.hidden, part.head).detach() for part in (aligned, reverse))
    weight = 4.0 * (probabilities(aligned) - probabilities(reverse)).abs().sum(1) + 0.01
    best = (weight.unsqueeze(1) * (z_aligned - z_reverse) + z_aligned).softmax(1)
    assert found.mixing is not None
    assert found.divergence is not None
    torch.testing.assert_close(found.mixing, weight)
    torch.testing.assert_close(
        found.divergence, plain_divergence("reverse_kl", plain_logits(hidden, head).softmax(1), best)
    )
    assert not found.mixing.requires_grad


def test_equal_teachers_leave_only_the_floor_and_the_aligned_model() -> None:
    hidden, head, target = random_problem(dtype=torch.float64)
    teacher = teacher_of(23, 37, torch.float64, seed=1)
    mixed = token_statistics(
        hidden, head, target, divergence=Divergence("forward_kl", [teacher, teacher], adaptive_contrast(floor=0.25))
    )
    alone = token_statistics(hidden, head, target, divergence=Divergence("forward_kl", [teacher]))
    assert mixed.mixing is not None
    torch.testing.assert_close(mixed.mixing, torch.full_like(mixed.mixing, 0.25))
    torch.testing.assert_close(mixed.divergence, alone.divergence)


def test_a_geometric_mixture_is_the_closed_form_optimum_of_regularised_reward() -> None:
    """max_q E_q[r] - b KL(q || ref) has q = ref^(1 - w) aligned^w where r = a log(aligned / ref) and w = a / b."""
    hidden, head, target = random_problem(dtype=torch.float64)
    aligned, reference = (teacher_of(23, 37, torch.float64, seed=seed) for seed in (1, 2))
    a, b = 0.1, 0.25
    reward = a * (probabilities(aligned).log() - probabilities(reference).log())
    optimum = probabilities(reference) * (reward / b).exp()
    optimum = optimum / optimum.sum(1, keepdim=True)
    found = token_statistics(
        hidden,
        head,
        target,
        divergence=Divergence("reverse_kl", [aligned, reference], geometric_mixture(a / b, 1 - a / b)),
    )
    torch.testing.assert_close(
        found.divergence, plain_divergence("reverse_kl", plain_logits(hidden, head).softmax(1), optimum)
    )


def test_a_temperature_flattens_both_distributions() -> None:
    hidden, head, target = random_problem(dtype=torch.float64)
    teacher = teacher_of(23, 37, torch.float64, seed=1)
    found = token_statistics(hidden, head, target, divergence=Divergence("forward_kl", [teacher], temperature=2.5))
    expected = plain_divergence(
        "forward_kl",
        (plain_logits(hidden, head) / 2.5).softmax(1),
        (plain_logits(teacher.hidden, teacher.head) / 2.5).softmax(1),
    )
    torch.testing.assert_close(found.divergence, expected)


def test_rows_without_gradient_change_nothing() -> None:
    hidden, head, target = random_problem(dtype=torch.float64)
    teacher = teacher_of(23, 37, torch.float64, seed=1)
    weights = torch.zeros(23, dtype=torch.float64)
    weights[[3, 8, 21]] = torch.tensor([0.5, -2.0, 1e-31], dtype=torch.float64)
    found = token_statistics(hidden, head, target, divergence=Divergence("reverse_kl", [teacher]), chunk=2)
    assert found.divergence is not None
    to_hidden, to_weight = gradients((weights * found.divergence).sum(), hidden, head.weight)
    logits = plain_logits(hidden, head)
    plain = plain_divergence("reverse_kl", logits.softmax(1), probabilities(teacher))
    expected = gradients((weights * plain).sum(), hidden, head.weight)
    torch.testing.assert_close(to_hidden, expected[0])
    torch.testing.assert_close(to_weight, expected[1])
    assert to_hidden[21].abs().max() == 0


def test_no_tensor_holds_the_logits_of_all_rows() -> None:
    rows, vocabulary, size, chunk = 256, 128, 8, 8
    hidden, head, target = random_problem(rows, vocabulary, size)
    teacher = teacher_of(rows, vocabulary, torch.float32, seed=1)
    with LargestTensor() as seen:
        found = token_statistics(
            hidden, head, target, entropy=True, divergence=Divergence("jensen_shannon", [teacher]), chunk=chunk
        )
        assert found.entropy is not None
        assert found.divergence is not None
        gradients((found.log_probs + found.entropy + found.divergence).sum(), hidden, head.weight)
    assert seen.elements <= max(chunk * vocabulary, rows * size, vocabulary * size)


def test_frozen_parts_get_no_gradient_and_teachers_never_do() -> None:
    hidden, head, target = random_problem()
    frozen = Head(head.weight.detach())
    teacher = teacher_of(23, 37, torch.float32, seed=1)
    found = token_statistics(hidden, frozen, target, divergence=Divergence("forward_kl", [teacher]))
    assert found.divergence is not None
    found.divergence.sum().backward()
    assert hidden.grad is not None
    assert frozen.weight.grad is None
    assert teacher.hidden.grad is None
    assert teacher.head.weight.grad is None


def test_a_teacher_with_padded_vocabulary_is_cut_to_the_students() -> None:
    hidden, head, target = random_problem()
    teacher = teacher_of(23, 40, torch.float32, seed=1)
    assert teacher.head.bias is not None
    short = Teacher(teacher.hidden, Head(teacher.head.weight[:37], teacher.head.bias[:37]))
    long, cut = (
        token_statistics(hidden, head, target, divergence=Divergence("forward_kl", [part])).divergence
        for part in (teacher, short)
    )
    assert torch.equal(long, cut)
    with pytest.raises(InputError, match="30 vocabulary entries and the student 37"):
        token_statistics(
            hidden,
            head,
            target,
            divergence=Divergence("forward_kl", [teacher_of(23, 30, torch.float32, seed=1)]),
        )


def test_no_rows_give_empty_statistics_and_zero_gradients() -> None:
    hidden, head, target = random_problem(0)
    teacher = teacher_of(0, 37, torch.float32, seed=1)
    found = token_statistics(
        hidden, head, target, entropy=True, top1=True, divergence=Divergence("forward_kl", [teacher])
    )
    assert found.top1 is not None
    assert found.divergence is not None
    assert found.top1.dtype == torch.bool
    (to_weight,) = gradients(found.divergence.sum(), head.weight)
    assert to_weight.abs().sum() == 0


def test_what_was_not_asked_for_is_none() -> None:
    hidden, head, target = random_problem()
    found = token_statistics(hidden, head, target)
    assert (found.entropy, found.top1, found.divergence, found.mixing) == (None, None, None, None)
    torch.testing.assert_close(found.log_probs, plain_log_probs(hidden, head, target))


def test_half_precision_states_are_close_to_their_float32_twins() -> None:
    hidden, head, target = random_problem()
    teacher = teacher_of(23, 37, torch.float32, seed=1)
    rounded = hidden.detach().bfloat16().requires_grad_(), Head(head.weight.detach().bfloat16().requires_grad_())
    found = token_statistics(*rounded, target, entropy=True, divergence=Divergence("reverse_kl", [teacher]))
    logits = plain_logits(rounded[0].float(), Head(rounded[1].weight.float()))
    assert found.entropy is not None
    assert found.entropy.dtype == torch.float32
    torch.testing.assert_close(found.entropy, torch.distributions.Categorical(logits=logits).entropy())
    to_hidden, to_weight = gradients(found.entropy.sum(), rounded[0], rounded[1].weight)
    assert to_hidden.dtype == to_weight.dtype == torch.bfloat16


def half_precision_operands(hidden: torch.Tensor, weight: torch.Tensor) -> Arithmetic:
    return Arithmetic(torch.bfloat16, torch.float32)


def test_products_of_half_precision_operands_are_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """What GPUs do, with the products of this device."""
    hidden, head, target = random_problem(64, 200, 16, bias=True, scale=0.3)
    teacher = teacher_of(64, 200, torch.float32, seed=1)

    def measure() -> tuple[torch.Tensor, list[torch.Tensor]]:
        found = token_statistics(hidden, head, target, divergence=Divergence("reverse_kl", [teacher]), chunk=16)
        assert found.divergence is not None
        return found.divergence, gradients(found.divergence.sum(), hidden, head.weight, head.bias)

    wanted, expected = measure()
    monkeypatch.setattr(Arithmetic, "choose", half_precision_operands)
    found, ours = measure()
    assert found.dtype == torch.float32
    for mine, theirs in zip([found, *ours], [wanted, *expected], strict=True):
        assert (mine - theirs).norm() <= 0.02 * theirs.norm()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda teacher: Divergence("kl", [teacher]), "no kind 'kl'"),
        (lambda teacher: Divergence("forward_kl", []), "0 teachers"),
        (lambda teacher: Divergence("forward_kl", [teacher, teacher]), "2 teachers"),
        (lambda teacher: Divergence("forward_kl", [teacher], temperature=0.0), "temperature 0.0"),
    ],
)
def test_impossible_divergences_are_refused(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(teacher_of(3, 4, torch.float32, seed=0))


def test_mixtures_say_how_many_teachers_they_take() -> None:
    hidden, head, target = random_problem()
    teacher = teacher_of(23, 37, torch.float32, seed=1)
    with pytest.raises(InputError, match="2 weights for 1 teachers"):
        token_statistics(
            hidden, head, target, divergence=Divergence("forward_kl", [teacher], geometric_mixture(1.0, 2.0))
        )
    with pytest.raises(InputError, match="1 teachers; give the aligned"):
        token_statistics(hidden, head, target, divergence=Divergence("forward_kl", [teacher], adaptive_contrast()))
    with pytest.raises(InputError, match="for 23 positions"):
        token_statistics(
            hidden, head, target, divergence=Divergence("forward_kl", [teacher_of(5, 37, torch.float32, seed=1)])
        )


def test_concentration_is_the_log_of_the_sum_of_squares_and_carries_no_gradient() -> None:
    hidden, head, target = random_problem(9, 13, 4, torch.float64, bias=True)
    hidden.requires_grad_()
    for chunk in (2, 9):
        found = token_statistics(hidden, head, target, concentration=True, chunk=chunk).concentration
        expected = plain_logits(hidden, head).softmax(1).square().sum(1).log()
        assert found is not None
        torch.testing.assert_close(found, expected.detach(), rtol=1e-10, atol=1e-10)
        assert not found.requires_grad
