"""The classes of torch.optim and torch.optim.lr_scheduler, written down so that listing them
imports no torch. A test compares the tables with the installed torch. And our metrics.
"""

from __future__ import annotations

OPTIMIZERS = (
    "ASGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "LBFGS",
    "Muon",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SGD",
    "SparseAdam",
)

SCHEDULE_FREE = ("AdamWScheduleFree", "RAdamScheduleFree", "SGDScheduleFree")
"""Of the package ``schedulefree``, an extra."""

SCHEDULERS = (
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
)

METRICS_OF_CLASSES = {
    "accuracy": "Share of samples whose most likely class is the target.",
    "auroc": "Area under the curve of true over false positives.",
    "confusion_matrix": "How often each class was taken for each.",
    "f1": "Harmonic mean of precision and recall.",
    "precision": "Share of those found that are right.",
    "recall": "Share of those to be found that are found.",
    "top_k_accuracy": "Share of samples whose target is among the k most likely classes.",
}
"""The functions of `metrics_of_classes`, and what each measures."""

METRICS_OF_NUMBERS = {
    "bits_per_token": "Mean negative log likelihood of the target tokens, to base 2.",
    "mean_absolute_error": "Mean of absolute errors over all elements.",
    "mean_squared_error": "Mean of squared errors over all elements, or its root.",
    "perplexity": "Exponential of the mean negative log likelihood of the target tokens.",
    "r2": "Coefficient of determination: 1 minus the error's share of the variance.",
}
"""The functions of `metrics_of_numbers`, and what each measures."""
