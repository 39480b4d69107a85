"""The cloud layer, on the VPS: jobs by the clock and by event. Nothing runs here yet."""
