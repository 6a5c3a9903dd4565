"""The synthetic how-to world: drawn videos, their narration, and the exact truth of what is shown when."""
