"""General text beside the held-out documents: what a model forgets while it learns them."""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from toolkit.data.cleaning import Tally
from toolkit.data.conversations.turns import Dialogue
from toolkit.data.format import body_text
from toolkit.data.sources.documents import documents
from toolkit.data.sources.open import Source, open_source
from toolkit.errors import UserError
from toolkit.specs import General


def check(general: General) -> None:
    """Raise the UserError of a data set that can't be had, before anything is begun."""
    _source(general)


def identity(general: General) -> dict[str, Any]:
    """Return what tells the texts of one source from another's: of local files, the hash of their content."""
    return _source(general).identity


def texts(general: General) -> list[str]:
    """Return as many texts as asked for, the first: sections without markers, or a conversation's turns.

    Rows that make no document of the data set's format are passed over. Raises UserError where there are
    fewer than asked for.
    """
    source = _source(general)
    found: list[str] = []
    for accepted in islice(documents(source, Tally()), general.texts):
        document = accepted.document
        if isinstance(document, Dialogue):  # whose second body repeats the first
            found.append(document.contents)
            continue
        pairs = zip(source.dataset.format.sections, document.bodies, strict=True)
        found.append("\n".join(body_text(section, body) for section, body in pairs))
    if len(found) < general.texts:
        raise UserError(
            f"evaluate.general: {general.texts} texts were asked for, and data set "
            f"'{general.dataset.name}' has {len(found)}"
        )
    return found


def _source(general: General) -> Source:
    dataset = general.dataset
    if dataset.mixture or dataset.parser:
        raise UserError(
            f"evaluate.general: data set '{dataset.name}' is a mixture or needs a parser; name a plain one"
        )
    # Only a hub data set keeps something there: the commit it last had.
    return open_source(dataset, Path(tempfile.gettempdir()) / "bakeoff-general")
