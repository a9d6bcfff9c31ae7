"""Every kind of fact, in one table."""

from __future__ import annotations

from tools.mini.worlds import facts_people, facts_trade
from tools.mini.worlds.kinds import Kind

KINDS: tuple[Kind, ...] = (*facts_people.KINDS, *facts_trade.KINDS)
