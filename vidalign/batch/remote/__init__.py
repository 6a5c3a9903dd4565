"""Videos that come, and outputs that go, by URL."""
