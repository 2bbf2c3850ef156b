"""The dashboard: one HTML file that answers "my machine -> what do I type" and shows every verdict. Made from records alone.

standing.py says where a cell stands, entries.py which cells there are, packing.py puts them into columns and compressed blocks, failures.py
tells the known failures, page.py writes the file. The page's own parts lie beside them: templates/, scripts/, styles/, words.toml.
Never imports what observes or installs.
"""

from .page import Sources, render

__all__ = ["Sources", "render"]
