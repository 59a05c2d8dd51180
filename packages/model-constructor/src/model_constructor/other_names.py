"""What people call a parameter that goes by another name here: `learning_rate` for `lr`."""

from __future__ import annotations

from collections.abc import Collection

from model_constructor.errors import close_matches

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "activation_fn": ("activation",),
    "alpha": ("lr",),
    "batch": ("batch_size",),
    "batchsize": ("batch_size",),
    "beta": ("betas",),
    "bs": ("batch_size",),
    "channels": ("out_channels", "in_channels"),
    "dropout_prob": ("dropout", "p"),
    "dropout_rate": ("dropout", "p"),
    "epochs": ("max_epochs",),
    "epsilon": ("eps",),
    "eta": ("lr",),
    "features": ("out_features", "in_features"),
    "hidden": ("hidden_dim", "hidden_size", "hidden_sizes", "dims"),
    "hidden_dim": ("hidden_size", "dims"),
    "hidden_dims": ("hidden_sizes", "dims"),
    "hidden_size": ("hidden_dim", "dims"),
    "hidden_sizes": ("hidden_dims", "dims"),
    "in_dim": ("in_features", "in_channels", "input_size"),
    "input_dim": ("in_features", "in_channels", "input_size"),
    "kernel": ("kernel_size",),
    "ksize": ("kernel_size",),
    "l2": ("weight_decay",),
    "layers": ("dims", "num_layers"),
    "learning_rate": ("lr",),
    "learningrate": ("lr",),
    "max_iter": ("max_steps",),
    "max_iters": ("max_steps",),
    "n_epochs": ("max_epochs",),
    "n_layers": ("num_layers",),
    "n_steps": ("max_steps",),
    "num_epochs": ("max_epochs",),
    "num_steps": ("max_steps",),
    "out_dim": ("out_features", "out_channels"),
    "output_dim": ("out_features", "out_channels"),
    "rate": ("lr", "p"),
    "standardize": ("standardise",),
    "normalize": ("standardise", "norm"),
    "step": ("step_size",),
    "steps": ("max_steps",),
    "wd": ("weight_decay",),
}
"""Folded name → what it may be called here, likeliest first."""


def likely_names(name: str, accepted: Collection[str]) -> tuple[str, ...]:
    """The accepted names that a wrong one probably stands for, nearest first.

    >>> likely_names("learning_rate", ["params", "lr", "betas"])
    ('lr',)
    >>> likely_names("learnig_rate", ["params", "lr", "betas"])
    ('lr',)
    >>> likely_names("weigth_decay", ["lr", "weight_decay"])
    ('weight_decay',)
    """
    meant = {each: each for each in accepted}
    for other, meanings in OTHER_NAMES.items():
        likeliest = next((each for each in meanings if each in accepted), None)
        if likeliest is not None:
            meant.setdefault(other, likeliest)
    folded = name.casefold().replace("-", "_")
    if folded in meant:
        return (meant[folded],)
    return tuple(dict.fromkeys(meant[near] for near in close_matches(name, meant)))
