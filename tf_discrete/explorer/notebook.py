"""The explorer in a notebook (Jupyter, Colab, VS Code, marimo), as an anywidget."""

from __future__ import annotations

import json
from typing import Any

from tf_discrete._internal import extras
from tf_discrete.explorer import assembly
from tf_discrete.types import JsonObject

_RENDER = """
export default {
  async render({ model, el }) {
    const root = document.createElement("div");
    root.dataset.lmSuppressShortcuts = "true"; // Or JupyterLab takes the arrow keys of sliders.
    root.addEventListener("keydown", (event) => event.stopPropagation());
    el.append(root);
    await explorePacked(root, JSON.parse(model.get("payload")));
  },
};
"""


def module() -> str:
    """Returns the script of the page as an ES module, as anywidget loads it."""
    return assembly.script() + _RENDER


def widget(payload: JsonObject | None = None) -> Any:
    """Returns the page as a widget, to be the last line of a cell.

    Args:
        payload: See `explorer.of_model`. Default: None, for the relaxation alone.

    Raises:
        ImportError: anywidget is not installed.
    """
    with extras.required("Widgets need anywidget", "notebook"):
        import anywidget
        import traitlets

    class Explorer(anywidget.AnyWidget):
        """The explorer; `payload` is JSON."""

        _esm = module()
        _css = assembly.source("style.css")
        payload = traitlets.Unicode("null").tag(sync=True)

    return Explorer(payload=json.dumps(payload))
