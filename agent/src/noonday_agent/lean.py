"""What keeps the agent small on a server that has better uses for its memory."""

from __future__ import annotations

import gc
import sys
from types import ModuleType

from noonday_shared.memory import make_room_for_names

_ADAPTER = "pika.adapters.asyncio_connection"
_PLUGINS = "pydantic.plugin._loader"


def skip_asyncio() -> None:
    """Before pika is imported: it imports its asyncio adapter, and all of asyncio with it, for whoever asks for any
    other. 1.6 MB that no agent ever uses. Does nothing when somebody imported it already."""
    sys.modules.setdefault(_ADAPTER, _Absent(_ADAPTER))


def skip_plugins() -> None:
    """Before pydantic is imported: it looks for plugins in what is installed, and imports all that reads package
    metadata for that. 1.7 MB, for an agent that has none. Does nothing when somebody imported it already."""
    if _PLUGINS not in sys.modules:
        loader = ModuleType(_PLUGINS)
        loader.__dict__["get_plugins"] = tuple
        sys.modules[_PLUGINS] = loader


def keep_lean() -> None:
    """After everything was imported: what that left behind makes room, and is not looked through again and again."""
    make_room_for_names()
    gc.collect()
    gc.freeze()


class _Absent(ModuleType):
    def __getattr__(self, name: str) -> object:
        # Dunders are asked for by the import itself, which does without them.
        if name.startswith("__"):
            raise AttributeError(name)
        return None
