"""Attention, transformers and embeddings: against torch's own, and what reaches what."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from model_constructor.errors import ParameterError
from model_constructor.torch.blocks.attention import Attention
from model_constructor.torch.blocks.embeddings import (
    LearnedPositions,
    SinusoidalPositions,
    TimeEmbedding,
)
from model_constructor.torch.blocks.transformer import TransformerDecoder, TransformerEncoder
from model_constructor.torch.blocks.vit import ViT

DOUBLE = {"dtype": torch.float64}


def torch_attention(block: Attention, dim: int) -> nn.MultiheadAttention:
    """torch's module with the same weights."""
    other = nn.MultiheadAttention(dim, block.heads, batch_first=True, **DOUBLE)
    parts = (block.query, block.key, block.value)
    other.in_proj_weight = nn.Parameter(torch.cat([part.weight for part in parts]))
    other.in_proj_bias = nn.Parameter(torch.cat([part.bias for part in parts]))
    other.out_proj = block.output
    return other


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_equals_torchs(causal: bool, masked: bool) -> None:
    torch.manual_seed(0)
    block = Attention(16, heads=4, causal=causal).double()
    x = torch.randn(3, 7, 16, **DOUBLE)
    mask = torch.arange(7) < torch.tensor([[7], [4], [1]]) if masked else None
    ahead = torch.ones(7, 7, dtype=torch.bool).triu(1) if causal else None
    expected, _ = torch_attention(block, 16)(
        x, x, x, attn_mask=ahead, key_padding_mask=None if mask is None else ~mask
    )
    torch.testing.assert_close(block(x, mask=mask), expected, rtol=1e-12, atol=1e-12)


def reach(output: torch.Tensor, source: torch.Tensor, position: int) -> list[int]:
    """The positions of the source that a position of the output depends on."""
    (gradient,) = torch.autograd.grad(output[0, position, 0], source, retain_graph=True)
    return [i for i in range(source.shape[1]) if bool(gradient[0, i].abs().sum() > 0)]


def test_a_causal_encoder_does_not_look_ahead() -> None:
    x = torch.randn(1, 5, 8, requires_grad=True)
    assert reach(TransformerEncoder(8, heads=2, depth=2, causal=True)(x), x, 2) == [0, 1, 2]
    assert reach(TransformerEncoder(8, heads=2, depth=2)(x), x, 2) == [0, 1, 2, 3, 4]


def test_an_encoder_does_not_look_at_what_is_masked() -> None:
    x = torch.randn(1, 5, 8, requires_grad=True)
    mask = torch.tensor([[True, True, True, False, False]])
    assert reach(TransformerEncoder(8, heads=2, depth=2)(x, mask=mask), x, 0) == [0, 1, 2]


def test_a_decoder_looks_back_and_at_the_whole_memory() -> None:
    x = torch.randn(1, 4, 8, requires_grad=True)
    memory = torch.randn(1, 3, 6, requires_grad=True)
    decoder = TransformerDecoder(8, heads=2, depth=2, memory_dim=6)
    output = decoder(x, memory)
    assert reach(output, x, 1) == [0, 1]
    assert reach(output, memory, 1) == [0, 1, 2]
    masked = decoder(x, memory, memory_mask=torch.tensor([[True, False, True]]))
    assert reach(masked, memory, 1) == [0, 2]


def test_norm_and_activation_are_taken_by_spec() -> None:
    encoder: Any = TransformerEncoder(
        8, heads=2, depth=2, norm=nn.RMSNorm(8), activation=nn.SiLU(), bias=False, hidden_dim=12
    )
    first, second = encoder.layers
    assert isinstance(first.attention_norm, nn.RMSNorm)
    assert first.attention_norm is not second.attention_norm
    assert isinstance(first.feed_forward[1], nn.SiLU)
    assert first.feed_forward[0].out_features == 12
    assert first.attention.query.bias is None


def test_sinusoidal_positions_are_those_of_the_paper() -> None:
    added = SinusoidalPositions(4)(torch.zeros(1, 3, 4))[0]
    angle = torch.tensor(2 / 10_000 ** (1 / 2))
    expected = torch.stack(
        [torch.tensor(2.0).sin(), angle.sin(), torch.tensor(2.0).cos(), angle.cos()]
    )
    torch.testing.assert_close(added[2], expected)


def test_time_embedding_takes_both_shapes() -> None:
    embedding = TimeEmbedding(6)
    times = torch.tensor([0, 3])
    torch.testing.assert_close(embedding(times), embedding(times[:, None]))


def test_a_sequence_longer_than_the_learned_positions_is_refused() -> None:
    with pytest.raises(ValueError, match="5 positions; max_length is 4"):
        LearnedPositions(4, 8)(torch.zeros(1, 5, 8))


def test_vit_is_the_one_of_the_paper() -> None:
    # ViT-B/16 at 224 pixels and 1000 classes: 86,567,656 parameters, as torchvision's vit_b_16.
    with torch.device("meta"):
        model = ViT(224, 16, 1000, dim=768, depth=12, heads=12)
    assert sum(parameter.numel() for parameter in model.parameters()) == 86_567_656


def test_vit_with_the_mean_of_its_patches() -> None:
    model = ViT(8, 4, 3, dim=8, depth=1, heads=2, pool="mean")
    assert model.class_token is None
    assert model(torch.zeros(2, 3, 8, 8)).shape == (2, 3)


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: Attention(10, heads=4), ("heads",)),
        (lambda: Attention(8, heads=2, dropout=2.0), ("dropout",)),
        (lambda: Attention(8, heads=2, context_dim=0), ("context_dim",)),
        (lambda: TransformerEncoder(8, heads=2, depth=0), ("depth",)),
        (lambda: TransformerEncoder(8, heads=2, depth=1, norm="Norm"), ("norm",)),
        (lambda: TransformerDecoder(8, heads=2, depth=1, hidden_dim=-1), ("hidden_dim",)),
        (lambda: SinusoidalPositions(5), ("dim",)),
        (lambda: TimeEmbedding(0), ("dim",)),
        (lambda: ViT(9, 4, 3, dim=8, depth=1, heads=2), ("patch_size",)),
        (lambda: ViT(8, 4, 3, dim=8, depth=1, heads=2, pool="max"), ("pool",)),  # type: ignore[arg-type]
    ],
)
def test_refused(make: Any, parameter: tuple[str, ...]) -> None:
    with pytest.raises(ParameterError) as caught:
        make()
    assert caught.value.parameter == parameter
