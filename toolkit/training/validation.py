"""Validation on held-out documents, and the weights of the best one."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from toolkit import runtime
from toolkit.data import batches as tokens
from toolkit.data.conversations.labels import ends_of, supervised
from toolkit.data.conversations.template import ChatTemplate
from toolkit.data.conversations.turns import answer_bytes, from_text
from toolkit.models.precision import scoring
from toolkit.records import hashes
from toolkit.records.folders import sealed
from toolkit.specs import AnyFormat, Conversation, TrainSpec
from toolkit.training import checkpoints
from toolkit.training.step.loss import NextToken

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Validation:
    """Token-weighted likelihood of the validation split, in batches of documents of similar length.

    Of conversations: of the answers that the format trains on. ``precision``, `fp32` or `bf16`, is what it
    computes in.
    """

    def __init__(
        self,
        texts: Sequence[str],
        tokenizer: PreTrainedTokenizerBase,
        batch_tokens: int,
        precision: str,
        form: AnyFormat | None = None,
    ) -> None:
        if isinstance(form, Conversation):  # whatever is trained on, the answers are what is wanted
            form = form.model_copy(update={"train_on": "answers"})
            shown = ChatTemplate(form, tokenizer).shown
            self._bytes = sum(answer_bytes(from_text(text), form, shown) for text in texts)
        else:
            self._bytes = sum(len(text.encode()) for text in texts)
        self.rows = tokens.encode(texts, tokenizer, form=form).ids
        """Token ids of each document."""
        self._batches = tokens.sorted_batches([len(row) for row in self.rows], batch_tokens)
        self._pad, self._precision = tokenizer.eos_token_id, precision
        self.exact: AbstractContextManager[Any] = nullcontext()
        """Entered around each pass; in fp32 it has to restore weights that training keeps rounded."""

    @property
    def longest(self) -> int:
        """Tokens of the longest validation document."""
        return max(map(len, self.rows))

    def __call__(
        self, model: PreTrainedModel, next_token: NextToken, cache: Path | None = None
    ) -> dict[str, float]:
        """Return `eval_nll`, nats per token with end-of-text, and `eval_bits_per_byte`, of the text alone.

        ``cache``: a folder of results. Most methods start as the base model itself, so that a study's runs
        would all compute the same first validation. A model that gives every token of one document the same
        likelihood, bit for bit, as one validated before on these documents is taken for the same model.
        """
        training = model.training
        model.eval()
        device = next(model.parameters()).device
        with self.exact, scoring(device, self._precision):  # outermost: casts are kept
            sums = self._sums(model, next_token, cache)
        model.train(training)
        total = math.fsum(whole for whole, _ in sums)
        stops = math.fsum(stop for _, stop in sums)
        count = sum(map(supervised, self.rows))
        return {"eval_nll": total / count, "eval_bits_per_byte": (total - stops) / math.log(2) / self._bytes}

    def _sums(
        self, model: PreTrainedModel, next_token: NextToken, cache: Path | None
    ) -> list[tuple[float, float]]:
        """Return each batch's summed nll, and that of its end-of-text tokens, in nats."""
        file = None
        if cache is not None:
            digest = hashlib.sha256(repr((self.rows, self._precision, self._batches)).encode())
            digest.update(self._nll(model, next_token, self._batches[0][:1]).cpu().numpy().tobytes())
            file = cache / f"validation-{digest.hexdigest()[:32]}.json"
            stored = hashes.read_value(file)
            if stored is not None:
                return [(whole, stop) for whole, stop in stored["sums"]]
        sums = [
            self._summed([self.rows[i] for i in batch], self._nll(model, next_token, batch))
            for batch in self._batches
        ]
        if file is not None:
            hashes.write_value(file, {"sums": sums})
        return sums

    def _nll(self, model: PreTrainedModel, next_token: NextToken, batch: Sequence[int]) -> torch.Tensor:
        """Return each token's nll in nats: [rows, longest], fp32."""
        device = next(model.parameters()).device
        rows = [self.rows[i] for i in batch]
        inputs = {key: value.to(device) for key, value in tokens.collate(rows, self._pad).items()}
        return next_token.nll(model, inputs)

    def _summed(self, rows: Sequence[Any], nll: torch.Tensor) -> tuple[float, float]:
        ends = [(place, index) for place, row in enumerate(rows) for index in ends_of(row)]
        places, indices = torch.tensor(ends, device=nll.device).reshape(-1, 2).T
        nll = nll.double()
        return nll.sum().item(), nll[places, indices].sum().item()


BEST = "best-"
"""Begins the name of a folder of best weights, before their step."""


class BestWeights:
    """The lowest validation bits per byte: its step, its weights if they are wanted, when to stop early.

    The weights are saved beside the checkpoints, so that a killed run still has them, and those that were the
    best at a checkpoint stay as long as it does: a run that continues there may not repeat itself.
    """

    def __init__(self, train: TrainSpec, checkpoints_folder: Path) -> None:
        self._folder = checkpoints_folder
        self._wanted, self._patience = train.keep == "best", train.patience
        self.step: int | None = None
        self.bits: float | None = None
        """Bits per byte; None before the first validation."""
        self._since = 0

    def update(self, step: int, bits: float, model: Any = None) -> bool:
        """Record a validation; return whether training should stop: `patience` is exhausted.

        ``model`` is None for a validation read from the steps of a resumed run: its weights are on disk.
        """
        if self.bits is None or bits < self.bits:
            self.step, self.bits, self._since = step, bits, 0
            if self._wanted and model is not None and runtime.rank() == 0:
                self._save(step, model)
            return False
        self._since += 1
        return self._patience is not None and self._since >= self._patience

    def restore(self, model: Any) -> bool:
        """Load the best weights into ``model``; return False if the run keeps the last ones."""
        return self._wanted and checkpoints.load_trainable(model, self._folder / f"{BEST}{self.step}")

    def _save(self, step: int, model: Any) -> None:
        checkpoints.save_trainable(model, self._folder / f"{BEST}{step}")
        saved = [int(path.name.removeprefix(BEST)) for path in self._folder.glob(f"{BEST}*")]
        resumable = [int(path.name.partition("-")[2]) for path in sealed(self._folder)]
        kept = {max((best for best in saved if best <= one), default=step) for one in resumable}
        for other in set(saved) - kept - {step}:
            shutil.rmtree(self._folder / f"{BEST}{other}", ignore_errors=True)
