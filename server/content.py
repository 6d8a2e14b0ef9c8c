"""How a publication's content is kept: compact JSON text, or the bytes themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from .errors import BAD_REQUEST, Refusal
from .model import check_key
from .seams.log import Rejected

if TYPE_CHECKING:
    from .model import JSON
    from .seams.log import Append, Draft

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

Encoded: TypeAlias = "tuple[bytes, ...]"
"""The contents of an Append's drafts, in their order."""


def encode_append(append: Append) -> Encoded | Rejected:
    """Return the encoded contents, or why the Append cannot be kept.

    So one bad key or content (a lone surrogate, nesting without end) is
    refused alone, and does not fail the transaction of its batch.
    """
    try:
        if append.key is not None:
            check_key(append.key)
        return tuple(_encode_draft(draft) for draft in append.drafts)
    except Refusal as refusal:
        return Rejected(refusal.error)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        reason = f"content cannot be kept ({type(error).__name__})"
        return Rejected(BAD_REQUEST.because(reason))


def _encode_draft(draft: Draft) -> bytes:
    draft.event.encode()
    if draft.author is not None:
        draft.author.name.encode()
    content = draft.content
    return content if isinstance(content, bytes) else _encode(content)


def decode(content: bytes, *, binary: bool) -> JSON | bytes:
    """Return a content as it was before `encode_append`."""
    if binary:
        return content
    value: JSON = _decode(content)
    return value


def check_append(append: Append) -> None:
    """Raise ValueError for an Append that no log can keep: a key that keys nothing."""
    if append.key is not None and not append.drafts:
        raise ValueError("an Append with a key needs a draft")
