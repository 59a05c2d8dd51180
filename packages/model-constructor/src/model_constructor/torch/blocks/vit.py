"""A vision transformer."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from model_constructor.errors import ParameterError
from model_constructor.torch.blocks.embeddings import LearnedPositions
from model_constructor.torch.blocks.layers import Layer, require_positive
from model_constructor.torch.blocks.transformer import TransformerEncoder

POOLS = ("class_token", "mean")


class ViT(nn.Module):
    """Patches → linear → positions → transformer encoder → class token or mean → linear.

    Source: Dosovitskiy et al., "An Image Is Worth 16x16 Words", 2021, section 3.1.

    Args:
        image_size: Height and width of the images, in pixels.
        patch_size: Height and width of a patch, in pixels; divides ``image_size``.
        out_features: Classes, or sizes of the output.
        dim: Size of a patch's vector.
        depth: Transformer layers.
        heads: Attention heads; divides ``dim``.
        in_channels: Channels of the images.
        hidden_dim: Width inside the feed-forward parts; null means four times ``dim``.
        dropout: As `TransformerEncoder`.
        pool: What the last layer reads: ``class_token``, a learned vector in front of the patches,
            or the ``mean`` of the patches.
        activation: As `TransformerEncoder`.
        norm: As `TransformerEncoder`.

    Shape:
        (B, in_channels, image_size, image_size) → (B, out_features), floating point.

    Raises:
        ParameterError: A size, a probability or a layer's name is not one.

    >>> ViT(8, 4, 10, dim=16, depth=1, heads=2)(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        out_features: int,
        *,
        dim: int,
        depth: int,
        heads: int,
        in_channels: int = 3,
        hidden_dim: int | None = None,
        dropout: float = 0.0,
        pool: Literal["class_token", "mean"] = "class_token",
        activation: Layer = "GELU",
        norm: Layer = "LayerNorm",
    ) -> None:
        super().__init__()
        for name, size in [
            ("image_size", image_size),
            ("patch_size", patch_size),
            ("out_features", out_features),
            ("dim", dim),
            ("in_channels", in_channels),
        ]:
            require_positive(size, name)
        if image_size % patch_size:
            raise ParameterError(
                f"patches of {patch_size} pixels do not divide images of {image_size}",
                parameter="patch_size",
            )
        if pool not in POOLS:
            raise ParameterError(f"expected {' or '.join(POOLS)}, got {pool!r}", parameter="pool")
        patches = (image_size // patch_size) ** 2
        self.patches = nn.Conv2d(in_channels, dim, patch_size, stride=patch_size)
        if pool == "class_token":
            self.class_token: nn.Parameter | None = nn.Parameter(torch.zeros(1, 1, dim))
            patches += 1
        else:
            self.class_token = None
        self.positions = LearnedPositions(patches, dim)
        self.encoder = TransformerEncoder(
            dim,
            heads=heads,
            depth=depth,
            hidden_dim=hidden_dim,
            dropout=dropout,
            activation=activation,
            norm=norm,
        )
        self.head = nn.Linear(dim, out_features)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)  # (B, patches, dim)
        if self.class_token is not None:
            first = self.class_token.expand(tokens.shape[0], -1, -1)
            tokens = torch.cat([first, tokens], dim=1)  # (B, 1 + patches, dim)
        tokens = self.encoder(self.positions(tokens))
        pooled = tokens.mean(dim=1) if self.class_token is None else tokens[:, 0]  # (B, dim)
        result: Tensor = self.head(pooled)
        return result
