"""Multi-head attention through torch's fused kernel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_constructor.errors import ParameterError
from model_constructor.torch.blocks.layers import require_positive, require_probability


class Attention(nn.Module):
    """Multi-head attention: softmax(q kᵀ / sqrt(D)) v in each of ``heads`` heads.

    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2; computed by
    `torch.nn.functional.scaled_dot_product_attention`.

    Args:
        dim: Size of the last dimension of the input and of the output.
        heads: Number of heads; divides ``dim``.
        context_dim: Last dimension of what is attended to; null means ``dim``.
        causal: Position t attends to positions up to t only.
        dropout: Probability with which an attention weight is zeroed in training.
        bias: Whether the four projections have one.

    Shape:
        x (B, T, dim), context (B, S, context_dim) or none for self-attention, mask (B, S) boolean,
        true where there is something to attend to → (B, T, dim), floating point.

    Raises:
        ParameterError: A size or probability is not one, or ``heads`` does not divide ``dim``.

    >>> Attention(32, heads=4, causal=True)(torch.zeros(2, 10, 32)).shape
    torch.Size([2, 10, 32])
    """

    def __init__(
        self,
        dim: int,
        *,
        heads: int,
        context_dim: int | None = None,
        causal: bool = False,
        dropout: float = 0.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        require_positive(dim, "dim")
        require_positive(heads, "heads")
        require_probability(dropout, "dropout")
        if dim % heads:
            raise ParameterError(f"{heads} heads do not divide dim {dim}", parameter="heads")
        source_dim = dim if context_dim is None else context_dim
        require_positive(source_dim, "context_dim")
        self.heads = heads
        self.causal = causal
        self.dropout = dropout
        self.query = nn.Linear(dim, dim, bias=bias)
        self.key = nn.Linear(source_dim, dim, bias=bias)
        self.value = nn.Linear(source_dim, dim, bias=bias)
        self.output = nn.Linear(dim, dim, bias=bias)

    def forward(
        self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        source = x if context is None else context
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, T, D)
        key = self.key(source).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, S, D)
        value = self.value(source).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, S, D)
        allowed = None if mask is None else mask[:, None, None, :]  # (B, 1, 1, S)
        if allowed is not None and self.causal:
            steps = torch.ones(x.shape[1], source.shape[1], dtype=torch.bool, device=x.device)
            allowed = allowed & steps.tril()  # (B, 1, T, S)
        attended = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=allowed,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=self.causal and allowed is None,
        )  # (B, H, T, D)
        result: Tensor = self.output(attended.transpose(1, 2).flatten(2))  # (B, T, dim)
        return result
