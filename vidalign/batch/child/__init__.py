"""A process beside this one that can be killed: what a hostile file does there stays there."""
