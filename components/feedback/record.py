"""`feedback.jsonl`: every opinion that was given, in order, and whether any was altered since.

A chain as the ledger is. Two things differ. An append looks at all that is there, since it has to
know whether a request was seen before and how often this reader spoke of this case; what was
verified once is kept while the file stays the same. And opinions may be withdrawn by newer ones of
the same reader, so nothing is ever changed in place.
"""

from collections.abc import Callable
from dataclasses import replace
from operator import eq
from pathlib import Path

from components.feedback.opinion import (
    Opinion,
    OpinionDraft,
    fault_in,
    line_of,
    new_opinion,
    parse_line,
)
from components.records.chain import PATIENCE_S, ChainContent, HashChain, Head
from components.records.errors import UsageError

SameName = Callable[[str, str], bool]


class Replayed(UsageError):
    """A request that was recorded already; nothing was recorded again."""


class Record:
    """The record in `path`, which need not exist yet; any number of processes may use it."""

    def __init__(self, path: Path, *, timeout_s: float = PATIENCE_S) -> None:
        self.path = path
        self.chain = HashChain(
            path, parse=parse_line, spell=line_of, fault_in=fault_in, timeout_s=timeout_s
        )
        self._seen: ChainContent[Opinion] | None = None

    def opinions(self) -> tuple[Opinion, ...]:
        """Every opinion, oldest first, verified.

        Raises:
          IntegrityError: names the first entry that does not fit.
        """
        return self.content().entries

    def content(self) -> ChainContent[Opinion]:
        """As `opinions`, and what a crash left behind."""
        seen = self._seen  # other threads replace it
        if seen is None or seen.state != self.chain.state():
            seen = self._seen = self.chain.read()
        return seen

    def append(self, draft: OpinionDraft, *, same_reader: SameName = eq) -> Opinion:
        """Adds an opinion; it is on disk, and named by the head, when this returns.

        Args:
          same_reader: whether two names are one reader's; the spelling of the first is kept.

        Raises:
          Replayed: this reader sent this nonce before.
          IntegrityError: the record was altered; nothing is added.
          ConfigError: the opinion breaks its contract, or the record cannot be written.
          WorkspaceBusy: another process holds the record for too long.
        """
        with self.chain.locked():
            opinions, last = self.opinions(), self.chain.end()
            known = {one.by: None for one in opinions}
            by = next((name for name in known if same_reader(name, draft.by)), draft.by)
            of_reader = [one for one in opinions if one.by == by]
            if draft.nonce is not None and any(one.nonce == draft.nonce for one in of_reader):
                raise Replayed("this nonce was used already; nothing was recorded again")
            opinion = new_opinion(
                replace(draft, by=by),
                seq=last.seq + 1,
                version=1 + sum(one.case_id == draft.case_id for one in of_reader),
                previous=last.sha256,
            )
            self.chain.add(opinion)
            all_opinions, state = (*opinions, opinion), self.chain.state()
            self._seen = ChainContent(all_opinions, Head.of(all_opinions), b"", state)
        return opinion
