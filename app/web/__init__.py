"""HTTP as every server of Portiere speaks it: the gate before the API, problems, limits."""
