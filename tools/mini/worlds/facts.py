"""Every kind of fact, in one table."""

from __future__ import annotations

from tools.mini.worlds import facts_events, facts_people, facts_things, facts_trade, facts_work
from tools.mini.worlds.kinds import Kind

KINDS: tuple[Kind, ...] = (
    *facts_people.KINDS,
    *facts_work.KINDS,
    *facts_trade.KINDS,
    *facts_things.KINDS,
    *facts_events.KINDS,
)
