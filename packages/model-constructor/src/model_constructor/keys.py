"""This package's own registry keys: blocks, torch.nn classes and graph operations.

Imports no torch: every key is the name of a target, loaded when somebody asks for it.
"""

from __future__ import annotations

from importlib.util import find_spec

from model_constructor import __version__
from model_constructor.registry import Buffer, Entry, Provider, Registrar, Registry
from model_constructor.torch.nn_table import NN_MODULES

PROVIDER = Provider("model-constructor", __version__, origin="core")

NN_PREFIX = "nn."
_TORCH = "model_constructor.torch"

BLOCKS = {
    "attention": ("attention:Attention", "multi-head attention, to itself or to a context"),
    "categorical_head": ("heads:CategoricalHead", "logits of one or several choices"),
    "conv_bn_act": ("conv_bn_act:ConvBNAct", "2-d convolution, norm and activation"),
    "film": ("film:FiLM", "features scaled and shifted by a condition"),
    "gaussian_head": ("heads:GaussianHead", "mean and log std of a normal distribution"),
    "gmm_head": ("heads:GMMHead", "parameters of a mixture of normal distributions"),
    "learned_positions": ("embeddings:LearnedPositions", "adds a learned vector per position"),
    "mlp": ("mlp:MLP", "linear layers with norm, activation and dropout between them"),
    "residual_block": ("residual_block:ResidualBlock", "inner layers plus a way around them"),
    "residual_mlp": ("residual_mlp:ResidualMLP", "a deep MLP with a way around every two layers"),
    "resnet": ("resnet:ResNet", "residual network for images, ResNet-18 by default"),
    "sinusoidal_positions": ("embeddings:SinusoidalPositions", "adds sines and cosines"),
    "time_embedding": ("embeddings:TimeEmbedding", "sines and cosines of a number per sample"),
    "transformer_decoder": ("transformer:TransformerDecoder", "layers that attend to a memory"),
    "transformer_encoder": ("transformer:TransformerEncoder", "pre-norm self-attention layers"),
    "vit": ("vit:ViT", "vision transformer"),
}

LOSSES = {
    "categorical_nll": ("heads:CategoricalNLL", "negative log likelihood for categorical_head"),
    "gaussian_nll": ("heads:GaussianNLL", "negative log likelihood for gaussian_head"),
    "gmm_nll": ("heads:GMMNLL", "negative log likelihood for gmm_head"),
}

INITIALISERS = {
    "constant": "every element one value",
    "kaiming_normal": "He et al. 2015, normal",
    "kaiming_uniform": "He et al. 2015, uniform",
    "normal": "normal distribution",
    "ones": "every element 1",
    "orthogonal": "orthogonal rows or columns",
    "trunc_normal": "normal distribution within bounds",
    "uniform": "uniform distribution",
    "xavier_normal": "Glorot and Bengio 2010, normal",
    "xavier_uniform": "Glorot and Bengio 2010, uniform",
    "zeros": "every element 0",
}

OPS = {
    "add": "a + b",
    "cat": "join tensors along a dimension",
    "chunk": "cut a tensor into so many equal parts",
    "div": "a / b, element by element",
    "einsum": "sum of products as an equation says",
    "exp": "e to the power of x",
    "flatten": "join dimensions, by default all but the batch",
    "getitem": "a part of a tuple, a dict or a tensor",
    "identity": "the value itself, under another name",
    "matmul": "matrix product",
    "max": "largest element over dimensions",
    "mean": "mean over dimensions",
    "merge": "one dict of several",
    "mul": "a * b, element by element",
    "permute": "put dimensions in another order",
    "relu": "max(x, 0)",
    "reshape": "the same elements in another shape",
    "sample_normal": "a sample of a normal distribution, with a gradient",
    "sigmoid": "1 / (1 + exp(-x))",
    "softmax": "exponentials that add up to 1 over a dimension",
    "split": "cut a tensor into parts of given sizes",
    "squeeze": "drop a dimension of size 1",
    "stack": "join tensors along a new dimension",
    "sub": "a - b",
    "sum": "sum over dimensions",
    "tanh": "hyperbolic tangent",
    "transpose": "swap two dimensions",
    "unsqueeze": "add a dimension of size 1",
}


def register_components(registry: Registrar) -> None:
    """Add this package's keys; nothing is imported for it."""
    for tag, table in (("block", BLOCKS), ("loss", LOSSES)):
        for key, (target, help) in table.items():
            loads = f"{_TORCH}.blocks.{target}"
            registry.add_lazy(key, loads, help=help, tags=(tag,), requires=("torch",))
    for name in NN_MODULES:
        entry = _nn_entry(name)
        registry.add_lazy(
            entry.key, entry.loads, help=entry.help, tags=entry.tags, requires=entry.requires
        )
    for name, help in INITIALISERS.items():
        loads = f"{_TORCH}.initialisers:{name}"
        registry.add_lazy(f"init.{name}", loads, help=help, requires=("torch",))
    registry.add_lazy(
        "pretrained.safetensors",
        f"{_TORCH}.pretrained:SafetensorsWeights",
        help="weights from a safetensors file",
        requires=("torch", "safetensors"),
    )
    for name, help in OPS.items():
        registry.add_lazy(f"op:{name}", f"{_TORCH}.ops:{name}", help=help, requires=("torch",))


def resolve_nn(key: str) -> Entry | None:
    """The entry of an ``nn.*`` key that only the installed torch has; see `Registry.add_resolver`.

    Imports torch.nn, and only for a key that starts with ``nn.``, stands in no table, and may be
    in torch.nn as far as its source tells.
    """
    if not key.startswith(NN_PREFIX) or find_spec("torch") is None:
        return None
    from model_constructor.static.signatures import StaticSignatures

    name = key.removeprefix(NN_PREFIX)
    if StaticSignatures().lacks("torch.nn", name):
        return None
    from model_constructor.torch.newer import is_module_class

    return _nn_entry(name) if is_module_class(name) else None


def default_registry() -> Registry:
    """A registry with this package's keys, for use without the trainer.

    >>> default_registry().get_module("nn.Linear").help
    'torch.nn.Linear'
    """
    registry = Registry()
    buffer = Buffer(PROVIDER)
    register_components(buffer)
    registry.commit(buffer)
    registry.add_resolver(resolve_nn)
    return registry


def _nn_entry(name: str) -> Entry:
    return Entry(
        f"{NN_PREFIX}{name}",
        f"torch.nn:{name}",
        PROVIDER,
        help=f"torch.nn.{name}",
        tags=("loss",) if name.endswith("Loss") else (),
        requires=("torch",),
    )
