"""New UIDs in place of old ones, made with a secret."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

SHORTEST_SECRET = 16
"""Letters or bytes that a secret has at least: UIDs are few enough that a short one could be found by trying."""
_WELL_KNOWN = "1.2.840.10008."
"""Beginning of the UIDs that DICOM itself has defined."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """New UIDs for old ones: always the same with the same secret, and not to be guessed without it."""

    secret: bytes = field(repr=False)
    """Key of the mapping."""
    is_lasting: bool = True
    """Whether a person has the secret, so that another run can make the same UIDs."""

    def uid(self, uid: str) -> str:
        """New UID for a UID, as PS3.5 B.2 makes one of a UUID; those that DICOM defined stay.

        Examples
        --------
        >>> pseudonyms = pseudonyms_of("sixteen letters and more")
        >>> pseudonyms.uid("1.2.3") == pseudonyms.uid("1.2.3") != pseudonyms.uid("1.2.4")
        True
        >>> pseudonyms.uid("1.2.840.10008.1.2")
        '1.2.840.10008.1.2'
        """
        if not uid or uid.startswith(_WELL_KNOWN):
            return uid
        digest = bytearray(hmac.digest(self.secret, uid.encode(), "sha256")[:16])
        digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80  # a UUID of its own making (RFC 9562 5.8)
        return f"2.25.{int.from_bytes(digest)}"

    def digest(self, text: str) -> str:
        """Text of 64 letters in place of `text`."""
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()


def pseudonyms_of(secret: str | bytes | None) -> Pseudonyms:
    """Pseudonyms by a secret; without one, such as hold for one export and can't be made again.

    Raises
    ------
    ValueError
        If the secret is short enough to be guessed.
    """
    if secret is None:
        return Pseudonyms(secrets.token_bytes(32), is_lasting=False)
    key = secret.encode() if isinstance(secret, str) else bytes(secret)
    if len(key) < SHORTEST_SECRET:
        raise ValueError(
            f"uid_secret has {len(key)} letters, and whoever guesses it can undo the pseudonyms: take {SHORTEST_SECRET} or more"
        )
    return Pseudonyms(key)
