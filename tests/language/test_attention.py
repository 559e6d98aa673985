from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import make_model
from torch import Tensor, nn
from tree_strategies import FEW, Made, ancestors, made_trees

from llull.language.attention import TreeLayout, attend, use_tree_attention, visible
from llull.language.attention_blocks import attend_blocks, takes_blocks
from llull.language.attention_flex import attend_flex, make_block_mask
from llull.language.packing import Packed, pack
from llull.language.trees import PrefixTree

CPU = torch.device("cpu")
SETS = st.lists(made_trees(longest=9), min_size=1, max_size=4)
HEADS, GROUPS, WIDTH = 4, 2, 8


def one_row(sets: list[Made]) -> tuple[Packed, Tensor]:
    """All trees in one row, and who sees whom in it."""
    (row,) = pack([made.tree for made in sets], 10_000)
    seen = torch.zeros(len(row), len(row), dtype=torch.bool)
    for i, start, end in zip(row.trees, row.starts, row.starts[1:], strict=False):
        seen[start:end, start:end] = torch.from_numpy(ancestors(sets[i].tree))
    return row, seen


def states(tokens: int, heads: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, tokens, heads, WIDTH, generator=generator, dtype=dtype).transpose(1, 2).requires_grad_()


def dense(
    query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scale: float, softcap: float | None = None
) -> Tensor:
    """Attention as one matrix, [1, T, heads, d]."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    products = query @ key.transpose(2, 3) * scale
    if softcap is not None:
        products = softcap * torch.tanh(products / softcap)
    return (products.masked_fill(~seen, -torch.inf).softmax(-1) @ value).transpose(1, 2)


def gradients(out: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return list(torch.autograd.grad((out * weights.to(out.dtype)).sum(), inputs))


@FEW
@given(SETS, st.sampled_from([None, 1, 3, 7]), st.sampled_from([None, 1.5]), st.booleans())
def test_attention_over_trees_is_attention_to_ancestors(
    sets: list[Made], window: int | None, softcap: float | None, grouped: bool
) -> None:
    row, seen = one_row(sets)
    inputs = [states(len(row), heads, seed) for seed, heads in enumerate([HEADS, *[GROUPS if grouped else HEADS] * 2])]
    if window is not None:
        seen = seen & (row.position[:, None] - row.position[None, :] < window)
    module = nn.Module()
    layout = TreeLayout(row, CPU)
    found, _ = attend(module, *inputs, layout, scaling=0.7, sliding_window=window, softcap=softcap)
    expected = dense(*inputs, seen, 0.7, softcap)
    # With a soft cap the weights are float32, as in the architectures that have one.
    tolerance = {"atol": 1e-10, "rtol": 1e-10} if softcap is None else {"atol": 1e-5, "rtol": 1e-5}
    torch.testing.assert_close(found, expected, **tolerance)
    torch.testing.assert_close(gradients(found, inputs), gradients(expected, inputs), **tolerance)
    assert layout.windows == {window}


@pytest.mark.parametrize(("window", "hidden"), [(4, 1), (5, 0)])
def test_a_window_one_token_short_hides_the_root_from_the_end_of_the_longest_path(window: int, hidden: int) -> None:
    (row,) = pack([PrefixTree.of_options([1, 2, 3], [[4, 5], [6]])], 100)
    query, key = torch.zeros(1, 1, 6, WIDTH), torch.zeros(1, 1, 6, WIDTH)
    value = torch.zeros(1, 1, 6, WIDTH)
    value[0, 0, 0] = 1.0
    out, _ = attend(nn.Module(), query, key, value, TreeLayout(row, CPU), sliding_window=window)
    assert (out[0, :, 0, 0] == 0).tolist() == [False] * 4 + [bool(hidden), False]


@FEW
@given(SETS)
def test_blocks_attend_as_the_matrix_does_in_float32(sets: list[Made]) -> None:
    row, seen = one_row(sets)
    inputs = [states(len(row), HEADS, seed, torch.float32) for seed in range(3)]
    assert takes_blocks(inputs[0])
    found = attend_blocks(*inputs, row.blocks, 0.5).transpose(1, 2)
    expected = dense(*inputs, seen, 0.5)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradients(found, inputs), gradients(expected, inputs), atol=1e-5, rtol=1e-5)


def test_gradients_are_finite_differences() -> None:
    tree = PrefixTree.of_steps([1, 2], [[[3], [4]], [[3], [5, 6]], [[7]]])
    (row,) = pack([tree], 100)
    inputs = tuple(states(len(row), 1, seed) for seed in range(3))
    assert torch.autograd.gradcheck(lambda q, k, v: attend_blocks(q, k, v, row.blocks, 0.7), inputs)


def test_extreme_products_stay_finite_and_attend_to_one_token() -> None:
    tree = PrefixTree.of_options([1, 2, 3], [[4, 5], [6, 7]])
    (row,) = pack([tree], 100)
    query, key = torch.zeros(1, 1, 7, WIDTH), torch.zeros(1, 1, 7, WIDTH)
    query[..., 0], key[0, 0, 1, 0] = 1e4, 1e4
    value = torch.arange(7.0)[None, None, :, None].expand(1, 1, 7, WIDTH).contiguous()
    inputs = [part.requires_grad_() for part in (query, key, value)]
    out = attend_blocks(*inputs, row.blocks, 1.0)
    assert out[0, 0, :, 0].tolist() == [0.0, *[1.0] * 6]
    assert all(gradient.isfinite().all() for gradient in gradients(out, inputs))


@pytest.mark.filterwarnings("ignore:flex_attention called without")
@FEW
@given(SETS, st.sampled_from([None, 3]), st.sampled_from([None, 1.5]))
def test_flex_attention_computes_the_same(sets: list[Made], window: int | None, softcap: float | None) -> None:
    row, seen = one_row(sets)
    query, key, value = (
        states(len(row), heads, seed, torch.float32).detach() for seed, heads in enumerate([HEADS, GROUPS, GROUPS])
    )
    if window is not None:
        seen = seen & (row.position[:, None] - row.position[None, :] < window)
    mask = make_block_mask(row.end, row.position, window)
    found = attend_flex(query, key, value, mask, scale=0.7, softcap=softcap).transpose(1, 2)
    torch.testing.assert_close(found, dense(query, key, value, seen, 0.7, softcap), atol=1e-5, rtol=1e-5)


@FEW
@given(made_trees())
def test_the_mask_of_a_tree_is_its_ancestors(made: Made) -> None:
    tree = made.tree
    seen = visible(torch.from_numpy(tree.end).long(), torch.from_numpy(tree.position).long())
    assert torch.equal(seen, torch.from_numpy(ancestors(tree)))


def test_dropout_drops_weights_and_keeps_the_mean() -> None:
    tree = PrefixTree.of_options([1, 2, 3], [[4, 5], [6, 7]])
    (row,) = pack([tree], 100)
    inputs = [states(len(row), HEADS, seed).detach() for seed in range(3)]
    layout = TreeLayout(row, CPU)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        draws = torch.stack([attend(nn.Module(), *inputs, layout, dropout=0.5)[0] for _ in range(2000)])
    expected, _ = attend(nn.Module(), *inputs, layout)
    spread = draws.std(0)
    assert (spread > 0).all()
    assert ((draws.mean(0) - expected).abs() < 5 * spread / 2000**0.5).all()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", ["llama", "mistral", "gpt2"])
def test_without_a_layout_a_model_computes_and_generates_as_before(name: str, attention: str) -> None:
    model = make_model(name, attention=attention).eval()
    ids = torch.tensor([[5, 6, 7, 8, 9, 10, 11], [0, 0, 3, 4, 5, 6, 7]])
    mask = (ids != 0).long()

    def run() -> tuple[Tensor, Tensor]:
        logits = model(input_ids=ids, attention_mask=mask).logits
        text = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=8, do_sample=False, pad_token_id=0)
        return logits[mask.bool()], text

    logits, text = run()
    undo = use_tree_attention(model)
    assert model.config._attn_implementation != attention
    found, again = run()
    torch.testing.assert_close(found, logits, atol=0, rtol=0)
    assert torch.equal(again, text)
    undo()
    assert model.config._attn_implementation == attention


def test_a_saved_model_does_not_know_of_it(tmp_path: Any) -> None:
    model = make_model("llama")
    use_tree_attention(model)
    model.save_pretrained(tmp_path)
    assert "llull" not in (tmp_path / "config.json").read_text()
