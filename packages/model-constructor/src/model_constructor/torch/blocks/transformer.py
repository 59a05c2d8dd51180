"""Pre-norm transformer stacks."""

from __future__ import annotations

from torch import Tensor, nn

from model_constructor.torch.blocks.attention import Attention
from model_constructor.torch.blocks.layers import (
    Layer,
    make_layer,
    require_positive,
    require_probability,
)


class TransformerLayer(nn.Module):
    """One pre-norm layer: self-attention, cross-attention if asked for, and a feed-forward part.

    x ← x + attention(norm(x)); x ← x + cross(norm(x), memory); x ← x + feed_forward(norm(x)).

    Source: Xiong et al., "On Layer Normalization in the Transformer Architecture", 2020.

    Args:
        dim: Size of the last dimension.
        heads: Attention heads; divides ``dim``.
        hidden_dim: Width inside the feed-forward part; null means four times ``dim``.
        causal: Position t attends to positions up to t only.
        cross_attention: Whether the layer also attends to a memory.
        memory_dim: Last dimension of the memory; null means ``dim``.
        dropout: Probability with which an element of each part's result is zeroed in training.
        activation: Inside the feed-forward part: the name of a torch.nn class, or a spec.
        norm: The name of a torch.nn class, built with ``dim``, or a spec.
        bias: Whether the linear layers have one.

    Shape:
        x (B, T, dim), memory (B, S, memory_dim), mask (B, T) and memory_mask (B, S) boolean, true
        where there is something → (B, T, dim), floating point.

    >>> import torch
    >>> TransformerLayer(32, heads=4)(torch.zeros(2, 10, 32)).shape
    torch.Size([2, 10, 32])
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int,
        hidden_dim: int | None = None,
        causal: bool = False,
        cross_attention: bool = False,
        memory_dim: int | None = None,
        dropout: float = 0.0,
        activation: Layer = "GELU",
        norm: Layer = "LayerNorm",
        bias: bool = True,
    ) -> None:
        super().__init__()
        require_positive(dim, "dim")
        width = 4 * dim if hidden_dim is None else hidden_dim
        require_positive(width, "hidden_dim")
        require_probability(dropout, "dropout")
        self.attention_norm = make_layer(norm, "norm", dim) or nn.Identity()
        self.attention = Attention(dim, heads=heads, causal=causal, dropout=dropout, bias=bias)
        if cross_attention:
            self.cross_norm = make_layer(norm, "norm", dim) or nn.Identity()
            self.cross_attention: Attention | None = Attention(
                dim, heads=heads, context_dim=memory_dim, dropout=dropout, bias=bias
            )
        else:
            self.cross_attention = None
        self.feed_forward_norm = make_layer(norm, "norm", dim) or nn.Identity()
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, width, bias=bias),
            make_layer(activation, "activation") or nn.Identity(),
            nn.Dropout(dropout),
            nn.Linear(width, dim, bias=bias),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), mask=mask))
        if self.cross_attention is not None:
            if memory is None:
                raise ValueError("this layer has cross-attention and needs a memory to attend to")
            attended = self.cross_attention(self.cross_norm(x), memory, mask=memory_mask)
            x = x + self.dropout(attended)
        result: Tensor = x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return result


class TransformerEncoder(nn.Module):
    """``depth`` pre-norm layers of self-attention, and a norm after the last.

    With ``causal: true`` it is the stack of a GPT-style language model.

    Args:
        dim: Size of the last dimension.
        heads: Attention heads; divides ``dim``.
        depth: Number of layers.
        hidden_dim: Width inside the feed-forward parts; null means four times ``dim``.
        causal: Position t attends to positions up to t only.
        dropout: As `TransformerLayer`.
        activation: As `TransformerLayer`.
        norm: As `TransformerLayer`.
        bias: Whether the linear layers have one.

    Shape:
        x (B, T, dim), mask (B, T) boolean, true where there is something → (B, T, dim), floating
        point.

    Raises:
        ParameterError: A size, a probability or a layer's name is not one.

    >>> import torch
    >>> TransformerEncoder(32, heads=4, depth=2)(torch.zeros(2, 10, 32)).shape
    torch.Size([2, 10, 32])
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int,
        depth: int,
        hidden_dim: int | None = None,
        causal: bool = False,
        dropout: float = 0.0,
        activation: Layer = "GELU",
        norm: Layer = "LayerNorm",
        bias: bool = True,
    ) -> None:
        super().__init__()
        require_positive(depth, "depth")
        self.layers = nn.ModuleList(
            TransformerLayer(
                dim,
                heads=heads,
                hidden_dim=hidden_dim,
                causal=causal,
                dropout=dropout,
                activation=activation,
                norm=norm,
                bias=bias,
            )
            for _ in range(depth)
        )
        self.norm = make_layer(norm, "norm", dim) or nn.Identity()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x = layer(x, mask=mask)
        normed: Tensor = self.norm(x)
        return normed


class TransformerDecoder(nn.Module):
    """``depth`` pre-norm layers of causal self-attention and cross-attention to a memory.

    Args:
        dim: Size of the last dimension.
        heads: Attention heads; divides ``dim``.
        depth: Number of layers.
        memory_dim: Last dimension of the memory; null means ``dim``.
        hidden_dim: Width inside the feed-forward parts; null means four times ``dim``.
        causal: Position t attends to positions up to t only.
        dropout: As `TransformerLayer`.
        activation: As `TransformerLayer`.
        norm: As `TransformerLayer`.
        bias: Whether the linear layers have one.

    Shape:
        x (B, T, dim), memory (B, S, memory_dim), mask (B, T) and memory_mask (B, S) boolean, true
        where there is something → (B, T, dim), floating point.

    Raises:
        ParameterError: A size, a probability or a layer's name is not one.

    >>> import torch
    >>> decoder = TransformerDecoder(32, heads=4, depth=2, memory_dim=16)
    >>> decoder(torch.zeros(2, 10, 32), torch.zeros(2, 7, 16)).shape
    torch.Size([2, 10, 32])
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int,
        depth: int,
        memory_dim: int | None = None,
        hidden_dim: int | None = None,
        causal: bool = True,
        dropout: float = 0.0,
        activation: Layer = "GELU",
        norm: Layer = "LayerNorm",
        bias: bool = True,
    ) -> None:
        super().__init__()
        require_positive(depth, "depth")
        self.layers = nn.ModuleList(
            TransformerLayer(
                dim,
                heads=heads,
                hidden_dim=hidden_dim,
                causal=causal,
                cross_attention=True,
                memory_dim=memory_dim,
                dropout=dropout,
                activation=activation,
                norm=norm,
                bias=bias,
            )
            for _ in range(depth)
        )
        self.norm = make_layer(norm, "norm", dim) or nn.Identity()

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        for layer in self.layers:
            x = layer(x, memory, mask=mask, memory_mask=memory_mask)
        normed: Tensor = self.norm(x)
        return normed
