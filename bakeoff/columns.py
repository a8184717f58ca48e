"""The columns of the API's frames, in order, each with its meaning. Frames hold these and no others."""

from __future__ import annotations

CONDITION = {
    "base_model": "Base model by its name in the study.",
    "dataset": "Data set by its name in the study.",
    "train_size": "Training documents; missing if the study does not set it.",
    "epochs": "Passes over the training documents.",
}

VERDICTS = {
    **CONDITION,
    "method": "Method that is judged.",
    "baseline": "Method that it is compared with; `base` is the untouched base model.",
    "metric": "Metric by its name.",
    "unit": "Unit of the metric's value.",
    "direction": "Which way is better: `lower`, `higher` or `neither`.",
    "difference": "Method minus baseline, in the metric's unit; missing if undefined.",
    "low": "Lower end of the 95 % interval of the difference; of more if the study grows by planned looks.",
    "high": "Upper end of the same interval.",
    "p": "Two-sided p-value, before correction.",
    "p_holm": "p-value corrected over the comparisons of its family.",
    "margin": "Equivalence margin, in the metric's unit: smaller differences are negligible.",
    "verdict": "`better`, `worse`, `equivalent`, `undecided`, or `refused` by the audit.",
    "within_margin": "Whether the whole interval lies inside the margin.",
    "beyond_margin": "Whether the whole interval lies outside the margin.",
    "speaks_about": "What the verdict is about: `checkpoints` (one or two seeds) or `methods` (three on).",
    "family": "Comparisons that its p-value is corrected with: `primary`, `base`, `claims` or `conversions`.",
    "seeds": "Training seeds that were compared.",
    "documents": "Held-out documents that were compared.",
    "smallest_detectable": "Smallest true difference that a study of this size detects with 80 % power.",
    "needed_documents": "Documents that decide with 80 % power if the difference stays the same.",
    "needed_seeds": "Seeds that decide with 80 % power if the difference stays the same.",
    "reason": "Why it was refused, or what to know about it; usually missing.",
}

SCORES = {
    **CONDITION,
    "method": "Method; `base` is the untouched base model.",
    "metric": "Metric by its name.",
    "unit": "Unit of the metric's value.",
    "direction": "Which way is better: `lower`, `higher` or `neither`.",
    "value": "Mean over the seeds; missing if undefined.",
    "low": "Lower end of the 95 % interval.",
    "high": "Upper end of the 95 % interval.",
    "seeds": "Training seeds.",
    "documents": "Held-out documents.",
}

COSTS = {
    **CONDITION,
    "method": "Method that was trained.",
    "seed": "Training seed.",
    "learning_rate": "Peak learning rate.",
    "tuned": "Whether the rate was chosen on validation data, among as many as other methods had.",
    "phase": "`tune` (search for a learning rate) or `confirm`.",
    "run_id": "Name of the run's folder under `runs/`.",
    "device": "Hardware that trained it.",
    "status": "`finished` or `diverged`.",
    "precision": "Precision of the forward and backward pass.",
    "validation_bits_per_byte": "Bits per byte on the validation split after training.",
    "train_tokens": "Supervised tokens of one epoch.",
    "train_seconds": "Wall-clock seconds of training, without validation and saving.",
    "supervised_tokens_per_second": "Tokens with a label, per second of training.",
    "peak_memory_bytes": "Peak memory of the process, in bytes.",
    "cuda_allocated_bytes": "Peak memory allocated on the GPU, in bytes; missing on a CPU.",
    "trainable_parameters": "Parameters that were trained.",
    "total_parameters": "Parameters of the model, the adapter's included.",
    "artifact_bytes": "Size of what was saved, in bytes.",
}
